"""``mmhot.infer``, ``mmhot.lift`` and ``Clip3D.save``: the results of the commands."""

from pathlib import Path

import numpy as np
import pytest
from clip_files import SKATER
from paths import DATA

import mmhot
from mmhot.cli.dispatch import main


def test_lift_writes_the_files_of_the_command(checkpoint, tmp_path):
    path = DATA / 'demo_2d_coco17.npz'
    options = [
        '--pose3d-weights',
        checkpoint,
        '--out-dir',
        tmp_path / 'a',
        '--fov',
        60,
        '--height',
        1.7,
    ]
    formats = ['--formats', 'npz,json,csv,bvh,trc,html']
    assert main(['lift', *map(str, [path, *options, *formats])]) == 0
    clip = mmhot.lift(path, pose3d_weights=checkpoint, fov=60, height=1.7)
    written = []
    (tmp_path / 'b').mkdir()
    for suffix in ('npz', 'json', 'csv', 'bvh', 'trc', 'html'):
        written += clip.save(tmp_path / 'b' / f'{path.stem}.{suffix}', height=1.7)
    assert {x.name for x in written} == {x.name for x in (tmp_path / 'a').iterdir()}
    for file in written:
        assert file.read_bytes() == (tmp_path / 'a' / file.name).read_bytes(), file.name


def test_lift_takes_a_clip(checkpoint):
    first = mmhot.lift(SKATER, pose3d_weights=checkpoint)
    clip = mmhot.read_keypoints(SKATER)
    second = mmhot.lift(clip, pose3d_weights=checkpoint)
    np.testing.assert_array_equal(first.keypoints_3d, second.keypoints_3d)
    with pytest.raises(ValueError, match='fps is for files of keypoints'):
        mmhot.lift(clip, pose3d_weights=checkpoint, fps=30)
    with pytest.raises(ValueError, match='has 3D poses, but 2D keypoints are needed'):
        mmhot.lift(first, pose3d_weights=checkpoint)


def test_camera_of_keypoint_files_is_static_or_unknown(checkpoint):
    options = {'pose3d_weights': checkpoint}
    assert mmhot.lift(SKATER, **options).camera is None
    static = mmhot.lift(SKATER, static_camera=True, **options)
    assert static.camera is not None


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('keypoints_3d', np.nan),
        ('keypoint_scores_3d', np.nan),
        ('scores', np.inf),
        ('keypoints_2d', -np.inf),
        ('root_3d', np.inf),
    ],
)
def test_clips_that_are_not_finite_are_not_saved(checkpoint, tmp_path, name, value):
    clip = mmhot.lift(SKATER, pose3d_weights=checkpoint)
    getattr(clip, name)[7] = value
    for suffix in ('npz', 'json', 'csv', 'bvh', 'trc', 'html'):
        with pytest.raises(ValueError, match=f'{name} (is not|must be) finite'):
            clip.save(tmp_path / f'a.{suffix}')
    assert list(tmp_path.iterdir()) == []


def test_all_keypoints_of_whole_bodies_are_kept_in_2d(tmp_path):
    with np.load(Path(__file__).parents[2] / 'demo/walk.npz') as truth:
        keypoints = truth['wholebody_2d'][:30].astype(np.float32)
    keypoints[:, 100] = np.nan
    frames = np.delete(np.arange(30), 12)
    whole = mmhot.Clip2D.from_arrays(keypoints[frames], (1280, 720), 25, frames=frames)
    clip = mmhot.lift(whole)
    assert clip.keypoints_2d.shape == (30, 17, 2)
    # the frame that was interpolated has none
    expected = keypoints.copy()
    expected[12] = np.nan
    for name in ('a.npz', 'a.json'):
        clip.save(tmp_path / name)
        read = mmhot.read_lifted(tmp_path / name)
        np.testing.assert_array_equal(read.detected_2d, expected)
        np.testing.assert_array_equal(
            read.detected_scores, np.isfinite(expected[..., 0])
        )
        assert read.detected_joints[91:93] == ('left_hand_root', 'left_thumb1')
    clip.save(tmp_path / 'a.coco.json')
    [track] = mmhot.read_keypoints(tmp_path / 'a.coco.json').tracks
    np.testing.assert_array_equal(track.frames, frames)
    np.testing.assert_array_equal(track.keypoints, keypoints[frames])
    np.testing.assert_allclose(clip.time, np.arange(30) / 25)
