"""Files of 3D poses of other tools."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from clip_files import lifted_clip
from given_poses import FPS, sam_results
from mocap import KICK, joints_of
from numpy.testing import assert_allclose

from mmhot.cli import main
from mmhot.io.lifted import write_json, write_npz
from mmhot.io.readers.poses import read_poses

RESULTS = sam_results(12)


def plain(results):
    return [
        [
            {key: np.asarray(x).tolist() for key, x in one.items() if x is not None}
            for one in people
        ]
        for people in results
    ]


def objects(results):
    array = np.empty(len(results), object)
    array[:] = results
    return array


def columns(results):
    names = ('pred_keypoints_3d', 'pred_cam_t', 'pred_keypoints_2d', 'focal_length')
    return {x: np.stack([people[0][x] for people in results]) for x in names}


@pytest.mark.parametrize(
    ('name', 'write'),
    [
        ('a.json', lambda path: path.write_text(json.dumps(plain(RESULTS)))),
        ('a.pkl', lambda path: path.write_bytes(pickle.dumps(RESULTS))),
        ('a.npz', lambda path: np.savez(path, objects(RESULTS))),
        ('a.npz', lambda path: np.savez(path, **columns(RESULTS))),
        (
            'a.json',
            lambda path: path.write_text(
                json.dumps({f'{n}.jpg': x for n, x in enumerate(plain(RESULTS))})
            ),
        ),
    ],
)
def test_sam_3d_body(name, write, tmp_path):
    path = tmp_path / name
    write(path)
    known, clip = read_poses(RESULTS, fps=FPS), read_poses(path, fps=FPS)
    assert (clip.name, clip.width, clip.height) == ('a', 1280, 720)
    assert clip.frame.tolist() == list(range(12))
    assert clip.focal_length == 1100
    for field in ('keypoints_3d', 'root_3d', 'keypoints_2d'):
        assert_allclose(getattr(clip, field), getattr(known, field), atol=1e-4)


def test_arrays(tmp_path):
    poses = joints_of(KICK, 10)
    np.save(tmp_path / 'X3D.npy', poses)
    clip = read_poses(tmp_path / 'X3D.npy', fps=30)
    assert (len(clip), clip.axes, clip.fps) == (10, 'z-up', 30)
    scored = np.append(poses, np.full((10, 17, 1), 0.5), axis=-1)
    np.save(tmp_path / 'scored.npy', scored)
    clip = read_poses(tmp_path / 'scored.npy', fps=30, axes='world')
    assert (clip.scores == 0.5).all()
    rows = dict(frame=[0, 0, 1], track=[4, 7, 4], fps=25)
    np.savez(tmp_path / 'rows.npz', keypoints_3d=poses[:3], **rows)
    clip = read_poses(tmp_path / 'rows.npz')
    assert clip.track.tolist() == [4, 7, 4]
    assert clip.fps == 25


def test_easymocap(tmp_path):
    pose = np.append(np.random.default_rng(0).normal(size=(67, 3)), np.ones((67, 1)), 1)
    for frame in range(4):
        people = [dict(id=n, keypoints3d=(pose + n).tolist()) for n in (3, 5)]
        (tmp_path / f'{frame:06}.json').write_text(json.dumps(people))
    clip = read_poses(tmp_path, fps=30)
    assert clip.axes == 'world'
    assert len(clip.joint_names) == 25
    assert clip.track.tolist() == [3, 5] * 4


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is empty'),
        (b'abc', 'is not a file of 2D keypoints or 3D poses'),
        (b'{"a": [[{"b": 1}]]}', 'people without pred_keypoints_3d'),
        (b'[[]]', 'holds no people'),
        (b'\x80\x04cos\nsystem\n', 'is refused: it holds os.system|damaged'),
    ],
)
def test_other_content(content, message, tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_poses(path, fps=30)


def test_what_a_file_lacks(tmp_path):
    with pytest.raises(ValueError, match='does not state its rate: give fps'):
        read_poses(RESULTS)
    lacking = [
        [{k: v for k, v in x[0].items() if k != 'focal_length'}] for x in RESULTS
    ]
    with pytest.raises(ValueError, match='image size: give image_size'):
        read_poses(lacking, fps=30)
    np.savez(tmp_path / 'a.npz', keypoints=np.ones((3, 17, 2)), fps=30)
    with pytest.raises(ValueError, match='2D keypoints are for mmhot lift'):
        read_poses(tmp_path / 'a.npz')
    with pytest.raises(FileNotFoundError):
        read_poses(tmp_path / 'missing.npz')
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='is a folder without .json'):
        read_poses(tmp_path / 'none')


@pytest.mark.parametrize('name', ['../../x', '/tmp/x', '', '..', 'a/b'])
def test_names_of_clips_write_nowhere_else(name, tmp_path, monkeypatch):
    folder = tmp_path / 'a/b'
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    write_npz(replace(lifted_clip(), name=name), folder / 'c.npz')
    assert main(['refine', 'c.npz', '--out-dir', 'out', '--formats', 'npz']) == 0
    assert {*tmp_path.rglob('*.npz')} - {*(folder / 'out').iterdir()} == {
        folder / 'c.npz'
    }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(time=np.arange(5.0)[::-1]), 'time must increase with frames'),
        (dict(track=np.zeros(5, int)), 'rows must be sorted by frame and track'),
        (dict(root_3d=np.full((5, 3), np.inf)), 'root_3d must be finite or NaN'),
    ],
    ids=str,
)
def test_changed_files_of_mmhot_are_one_line(change, message, tmp_path):
    write_npz(replace(lifted_clip(), **change), tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=f'a.npz: .*{message}'):
        read_poses(tmp_path / 'a.npz')


def test_files_of_mmhot_are_read_with_all_that_they_state(tmp_path):
    write_json(lifted_clip(), tmp_path / 'a.json')
    assert read_poses(tmp_path / 'a.json').name == 'walk “1”'
