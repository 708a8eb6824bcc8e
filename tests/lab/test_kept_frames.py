"""Which frames a hourglass keeps, traced and drawn."""

import numpy as np
import pytest
from test_chunks import checkpoint_of, clip_of

from mmhot import Lifter
from mmhot.skeletons.joints import get_skeleton
from mmhot.visualization.drawing import LEFT, skeleton_style
from tools.lab.kept_frames import trace_frames
from tools.lab.kept_frames_figure import draw_kept_frames, motion_of


@pytest.fixture(scope='module')
def lifter(tmp_path_factory):
    path = tmp_path_factory.mktemp('hot') / 'a.pth'
    return Lifter(checkpoint=checkpoint_of(path, dict(type='AttentionRecoverer')))


def test_traced_frames_are_those_of_the_window(lifter):
    clip = clip_of(40)
    window, kept = trace_frames(lifter, clip, start=5)
    np.testing.assert_array_equal(window, clip.tracks[0].keypoints[5:32])
    assert {name: len(frames) for name, frames in kept.items()} == {
        'clusters': 9,
        'uniform': 9,
        'motion': 9,
    }
    np.testing.assert_array_equal(kept['uniform'], [0, 3, 7, 10, 13, 16, 20, 23, 26])
    # the codec keeps the proportions of what moves
    steps = np.abs(np.diff(window, axis=0)).sum((1, 2))
    assert set(kept['motion']) == set(np.argsort(-steps)[:9] + 1)


def test_frames_after_the_last_repeat_it(lifter):
    window, _ = trace_frames(lifter, clip_of(40), start=30)
    np.testing.assert_array_equal(window[10:], window[9:10].repeat(17, 0))
    with pytest.raises(ValueError, match='start must be from 0 to 39, got 40'):
        trace_frames(lifter, clip_of(40), start=40)


def test_every_kept_frame_is_marked_once():
    skeleton = get_skeleton('h36m-17')
    rig = skeleton_style(skeleton.joints, skeleton.parents)
    keypoints = clip_of(50).tracks[0].keypoints
    kept = {'model': np.array([3, 20, 47])}
    image = draw_kept_frames(keypoints, kept, rig, fps=50.0, num_poses=5, width=800)
    assert image.shape[1] == 800
    # below the poses
    marks = (image[-50:] == LEFT).all(-1).any(0)
    # left and right edges of marks
    assert np.count_nonzero(np.diff(marks.astype(int))) == 2 * 3


def test_motion_is_the_mean_step_of_joints():
    keypoints = np.zeros((3, 2, 2))
    keypoints[1:, 0] += (3, 4)
    np.testing.assert_array_equal(motion_of(keypoints), [0, 2.5, 0])
