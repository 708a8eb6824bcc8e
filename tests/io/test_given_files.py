"""Files of 3D poses of other tools."""

import json
from dataclasses import replace

import numpy as np
import pytest
from clip_files import lifted_clip
from given_poses import sam_results

from mmhot.cli import main
from mmhot.io.lifted import write_npz
from mmhot.io.readers.poses import read_poses

RESULTS = sam_results(12)


def test_easymocap(tmp_path):
    pose = np.append(np.random.default_rng(0).normal(size=(67, 3)), np.ones((67, 1)), 1)
    for frame in range(4):
        people = [dict(id=n, keypoints3d=(pose + n).tolist()) for n in (3, 5)]
        (tmp_path / f'{frame:06}.json').write_text(json.dumps(people))
    clip = read_poses(tmp_path, fps=30)
    assert clip.axes == 'world'
    assert len(clip.joint_names) == 25
    assert clip.track.tolist() == [3, 5] * 4


def test_parts_of_people_are_in_dicts():
    """A fork of SAM 3D Body nests boxes and translations."""
    frames = [
        dict(
            persons=[
                dict(
                    skeleton=dict(keypoints_3d=x['pred_keypoints_3d']),
                    camera=dict(translation=x['pred_cam_t'], focal_length=900.0),
                    bbox=dict(body=[0, 0, 9, 9], left_hand=[1, 1, 2, 2]),
                )
                for x in people
            ]
        )
        for people in RESULTS
    ]
    clip, plain = (
        read_poses(x, fps=30, image_size=(99, 99)) for x in (frames, RESULTS)
    )
    np.testing.assert_array_equal(clip.places(), plain.places())


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
        (dict(variable_time=np.arange(5.0)[::-1]), 'time must increase with frames'),
        (dict(track=np.zeros(5, int)), 'rows must be sorted by frame and track'),
        (dict(root_3d=np.full((5, 3), np.inf)), 'root_3d must be finite or NaN'),
    ],
    ids=str,
)
def test_changed_files_of_mmhot_are_one_line(change, message, tmp_path):
    write_npz(replace(lifted_clip(), **change), tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=f'a.npz: .*{message}'):
        read_poses(tmp_path / 'a.npz')
