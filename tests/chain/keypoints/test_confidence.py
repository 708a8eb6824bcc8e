"""Keypoints that count as missing: uncertain ones, and jumps that come back."""

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import DATA

from mmhot.chain.keypoints.confidence import (
    DropUncertain,
    DropUncertainDetections,
    find_cut,
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


@pytest.mark.parametrize('name', ['coco-17', 'coco-wholebody-133'])
def test_limbs_at_the_border_are_missing(name):
    skeleton, size = get_skeleton(name), (1280, 720)
    points = np.full((60, skeleton.num_keypoints, 2), 300, np.float32)
    points[:, :17] = standing()
    torso = points[:, COCO.index('left_hip'), 1] - points[:, COCO.index('nose'), 1]
    assert not find_cut(points, skeleton, size, 0.08)[:, :17].any()
    # the image ends above the ankles, where models place knees and ankles
    knees, ankles = (
        COCO.indices([f'left_{x}', f'right_{x}']) for x in ('knee', 'ankle')
    )
    bottom = points[:, knees, 1].max() + 0.2 * torso.max()
    points[:, ankles, 1] = bottom - 0.02 * torso[:, None]
    size = 1280, int(bottom)
    cut = find_cut(points, skeleton, size, 0.08)
    assert cut[:, ankles].all()
    assert cut.sum() == 120
    clip = Clip2D.from_arrays(points, skeleton=name, image_size=size, fps=25)
    assert np.isfinite(DropUncertain().drop(clip).tracks[0].keypoints).all()
    [track] = DropUncertain(kpt_thr=0.35).drop(clip).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any(-1), cut)


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
