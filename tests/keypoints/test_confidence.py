"""Keypoints that count as missing: uncertain ones, and sudden half turns of bodies."""

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import DATA

from mmhot.datasets.transforms.virtual_camera import project
from mmhot.keypoints.confidence import (
    DropUncertain,
    find_cut,
    find_flips,
    find_jumps,
)
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D

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


@pytest.mark.parametrize(
    'frames', [range(20, 24), range(8), range(55, 60), [9, 30, 31, 32]]
)
def test_people_who_are_upside_down_for_a_moment_are_missing(frames):
    points, wrong = standing(), np.isin(np.arange(60), frames)
    points[wrong] = turned(points[wrong], 180)
    found = find_flips(points, COCO, SECONDS)
    np.testing.assert_array_equal(found, wrong)
    clip = Clip2D.from_arrays(points, image_size=(1280, 720), fps=25)
    [track] = DropUncertain().drop(clip).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any((1, 2)), wrong)


@pytest.mark.parametrize(
    'turn',
    [360 * SECONDS, 3 * 360 * SECONDS, 180 * (SECONDS >= 0.8)],
    ids=['cartwheels', 'somersaults', 'handstand'],
)
def test_people_who_turn_over_stay(turn):
    assert not find_flips(turned(standing(), turn), COCO, SECONDS).any()


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
    [track] = DropUncertain().drop(clip, 0.35).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any(-1), cut)


@pytest.mark.parametrize('rate', [25, 10])
def test_wrists_that_jump_away_and_back_are_missing(rate):
    points, wrists = standing(), COCO.indices(['left_wrist', 'right_wrist'])
    torso = np.ptp(points[0, COCO.indices(['left_shoulder', 'left_hip'])], axis=0).max()
    points[[20, 21, 40], wrists[0]] -= [0, torso]
    swapped = points[30].copy()
    points[30] = swapped[COCO.flip_indices]  # `sides` repairs it
    wrong = np.zeros(points.shape[:2], bool)
    wrong[[20, 21, 40], wrists[0]] = rate > 20  # people do so in 0.1 s
    jumps = find_jumps(points, COCO, np.arange(60) / rate)
    np.testing.assert_array_equal(jumps, wrong)
    clip = Clip2D.from_arrays(points, image_size=(1280, 720), fps=rate)
    [track] = DropUncertain().drop(clip).tracks
    np.testing.assert_array_equal(np.isnan(track.keypoints).any(-1), wrong)


@pytest.mark.parametrize(('score', 'counts'), [(1, ['17', '1']), (0.9, [])])
def test_points_of_confidence_1_that_are_dropped_are_said(score, counts, caplog):
    """A file says so of points that a person placed, and where it has no scores."""
    points = standing()
    upside_down, jumping = points.copy(), points.copy()
    upside_down[30] = turned(points[[30]], 180)[0]
    jumping[20, COCO.index('left_wrist')] -= [0, 200]
    for poses in (upside_down, jumping, points):
        scores = np.full(poses.shape[:2], score, np.float32)
        clip = Clip2D.from_arrays(poses, (1280, 720), 25, scores=scores)
        DropUncertain().drop(clip)
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(': ')[2].split()[0] for text in said] == counts


@pytest.mark.parametrize('key', [JUMP, KICK])
def test_fast_people_stay(key):
    points, _ = project(joints_of(key, 250), CAMERAS[0])
    found = find_jumps(points, get_skeleton('h36m-17'), np.arange(len(points)) / 50)
    assert not found.any()
