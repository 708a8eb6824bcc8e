"""Keypoints that count as missing: uncertain ones, and jumps that come back."""

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import DATA

from mmhot.chain.keypoints.confidence import (
    DropUncertain,
    DropUncertainDetections,
    find_jumps,
)
from mmhot.datasets.transforms.virtual_camera import project
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from tools.analysis.motions import resampled

COCO, SECONDS = get_skeleton('coco-17'), np.arange(60) / 25


def standing(count=60):
    with np.load(DATA / 'rendered_walk.npz') as data:
        return data['keypoints_2d'][:count].astype(np.float32)


def turned(points, degrees):
    """Turn each pose (T, K, 2) around its mean by an angle (T,)."""
    turn = np.radians(degrees) * np.ones(len(points))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = points.mean(1, keepdims=True)
    return (points - middle) @ matrix.transpose(2, 1, 0) + middle


def find(points, skeleton=COCO, seconds=SECONDS):
    return find_jumps(points, skeleton, seconds, DropUncertain.jumps)


def test_people_who_are_upside_down_for_a_moment_are_missing():
    points, wrong = standing(), np.isin(np.arange(60), [9, 30, 31, 32])
    points[wrong] = turned(points[wrong], 180)
    clip = Clip2D.from_arrays(points, image_size=(1280, 720), fps=25)
    [track] = DropUncertain().drop(clip).tracks
    lost = np.isnan(track.keypoints).any(-1)
    np.testing.assert_array_equal(lost, np.repeat(wrong[:, None], 17, axis=1))


@pytest.mark.parametrize(
    'turn',
    [360 * SECONDS, 3 * 360 * SECONDS, 180 * (SECONDS >= 0.8)],
    ids=['cartwheels', 'somersaults', 'handstand'],
)
def test_people_who_turn_over_stay(turn):
    assert not find(turned(standing(), turn)).any()


@pytest.mark.parametrize('count', [1, 2, 3, 4])
def test_tracks_of_few_frames_keep_them(count):
    clip = Clip2D.from_arrays(standing(count), image_size=(1280, 720), fps=25)
    [track] = DropUncertainDetections(kpt_thr=0)(clip).tracks
    np.testing.assert_array_equal(track.keypoints, clip.tracks[0].keypoints)


@pytest.mark.parametrize('kpt_thr', [None, 0.35])
def test_confident_limbs_at_the_border_stay(kpt_thr):
    points = standing()
    ankles = COCO.indices(['left_ankle', 'right_ankle'])
    size = 1280, int(points[..., 1].max()) + 2
    clip = Clip2D.from_arrays(points, image_size=size, fps=25)
    [track] = clip.tracks
    track.scores[:5, ankles] = 0.3
    missing = np.zeros(points.shape[:2], bool)
    missing[:5, ankles] = kpt_thr is not None
    [track] = DropUncertain(kpt_thr=kpt_thr).drop(clip).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any(-1), missing)


def test_keypoints_that_jump_away_and_back_are_missing(caplog):
    caplog.set_level('INFO', 'mmhot')
    points, wrist = standing(), COCO.index('left_wrist')
    torso = np.ptp(points[0, COCO.indices(['left_shoulder', 'left_hip'])], axis=0).max()
    wrong = np.zeros(points.shape[:2], bool)
    wrong[[20, 21, 40], wrist] = True
    points[wrong] -= [0, torso]
    clip = Clip2D.from_arrays(points, image_size=(1280, 720), fps=25)
    [track] = DropUncertain().drop(clip).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any(-1), wrong)
    read, *others = map(str, caplog.messages)
    assert read.startswith('clip: read as 60 frames of coco-17')
    assert others == [
        'clip: keypoints jump away for a moment and come back; they count as missing '
        "(frames: left_wrist in 3); without='confidence' keeps them"
    ]


@pytest.mark.parametrize('key', [JUMP, KICK])
@pytest.mark.parametrize('speed', [1, 1.6])
@pytest.mark.parametrize('fps', [25, 50, 100, 240])
def test_fast_people_stay(key, speed, fps):
    """Two motions; all of CMU's were measured when the limits were chosen."""
    [(places, seconds)] = resampled([joints_of(key, 250)], fps, speed)
    points, _ = project(places, CAMERAS[0])
    assert not find(points, get_skeleton('h36m-17'), seconds).any()
