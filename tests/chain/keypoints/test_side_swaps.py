"""Left/right swaps are undone, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from clip_files import SKATER
from mocap import CAMERAS, JUMP, KICK, joints_of
from rendered_clips import DATA

import mmhot
from mmhot.chain.keypoints.side_swaps import (
    RepairSides,
    find_swaps,
    joints_of_limbs,
)
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D, Track2D

PARTS = {
    'legs': 'hip knee ankle',
    'arms': 'shoulder elbow wrist',
    'shins': 'knee ankle',
    'forearms': 'elbow wrist',
    'shoulders': 'shoulder',
    'hips': 'hip',
    'head': 'eye ear',
    'body': 'eye ear shoulder elbow wrist hip knee ankle',
}


def rendered_clip(name='walk'):
    with np.load(DATA / f'rendered_{name}.npz') as data:
        points = data['keypoints_2d'].astype(np.float32)
    points += np.random.default_rng(0).normal(0, 1, points.shape).astype(np.float32)
    scores = np.random.default_rng(1).uniform(0.5, 1, points.shape[:2])
    return Clip2D.from_arrays(points, (1280, 720), 25, scores=scores)


def swap(clip, parts, frames):
    """Swap parts in frames; also return which joints are swapped."""
    skeleton = get_skeleton(clip.skeleton)
    track = clip.tracks[0]
    joints = skeleton.indices(
        f'{side}_{part}' for side in ('left', 'right') for part in parts.split()
    )
    swapped = np.zeros(track.scores.shape, bool)
    swapped[frames, joints] = True
    mirror = skeleton.flip_indices
    points = np.where(swapped[..., None], track.keypoints[:, mirror], track.keypoints)
    scores = np.where(swapped, track.scores[:, mirror], track.scores)
    tracks = [replace(track, keypoints=points, scores=scores)]
    return replace(clip, tracks=tracks), swapped


@pytest.mark.parametrize('parts', PARTS.values(), ids=PARTS)
def test_swaps_of_single_frames_exchange_no_others(parts):
    clip = rendered_clip()
    wrong, swapped = swap(clip, parts, np.r_[7, 20, 48, 90][:, None])
    found = find_swaps(wrong.tracks[0], clip.skeleton, np.arange(136) / clip.fps)
    assert not (found & ~swapped).any(1).sum() > 4
    assert (found == swapped).mean() > 0.99


@pytest.mark.parametrize('parts', PARTS.values(), ids=PARTS)
def test_swaps_are_undone_exactly(parts):
    clip = rendered_clip()
    wrong, swapped = swap(clip, parts, slice(60, 69))
    track, true = RepairSides()(wrong).tracks[0], clip.tracks[0]
    np.testing.assert_array_equal(track.keypoints, true.keypoints)
    np.testing.assert_array_equal(track.scores, true.scores)
    found = find_swaps(wrong.tracks[0], wrong.skeleton, true.frames / clip.fps)
    np.testing.assert_array_equal(found, swapped)


@pytest.mark.parametrize(('start', 'is_sure'), [(100, False), (128, True)])
def test_swaps_up_to_the_end_are_undone_if_they_are_short(start, is_sure):
    """One jump is weak evidence for a swap of a second and a half."""
    wrong, swapped = swap(rendered_clip(), PARTS['legs'], slice(start, None))
    found = find_swaps(wrong.tracks[0], wrong.skeleton, np.arange(136) / 25)
    np.testing.assert_array_equal(found, swapped & is_sure)


@pytest.mark.parametrize('name', ['walk', 'dance'])
def test_right_keypoints_stay(name):
    clip = rendered_clip(name)
    own = RepairSides()(clip).tracks[0]
    np.testing.assert_array_equal(own.keypoints, clip.tracks[0].keypoints)


@pytest.mark.parametrize('key', [JUMP, KICK])
@pytest.mark.parametrize('camera', range(len(CAMERAS)))
def test_turns_and_kicks_stay_and_their_swaps_are_undone(key, camera):
    """Real jumps and kicks, seen from all cameras."""
    joints = joints_of(key, 150)
    pixels, _ = project(joints + floor_offset(joints), CAMERAS[camera])
    clip = Clip2D.from_arrays(pixels, (1000, 1000), 50, skeleton='h36m-17')
    for parts, frames in (
        ('hip', slice(0)),
        ('hip knee foot', slice(30, 45)),
        ('elbow wrist', slice(50, 53)),
        ('hip knee foot shoulder elbow wrist', slice(40, 60)),
    ):
        wrong, swapped = swap(clip, parts, frames)
        track = wrong.tracks[0]
        swaps = find_swaps(track, clip.skeleton, track.frames / clip.fps)
        np.testing.assert_array_equal(swaps, swapped)


def test_missing_frames_and_joints_are_no_obstacle():
    wrong, swapped = swap(rendered_clip(), PARTS['legs'], slice(60, 69))
    track = wrong.tracks[0]
    track.keypoints[20:30, 13], track.scores[20:30, 13] = np.nan, 0
    track.keypoints[:, 3], track.scores[:, 3] = np.nan, 0
    kept = np.setdiff1d(track.frames, [40, 41, 64])
    arrays = (x[kept] for x in (track.frames, track.keypoints, track.scores))
    with_gaps = Track2D(0, *arrays)
    found = find_swaps(with_gaps, wrong.skeleton, kept / 25)
    np.testing.assert_array_equal(found, swapped[kept])


@pytest.mark.parametrize('skeleton', ['coco-wholebody-133', 'halpe-26', 'mpii-16'])
def test_all_joints_of_a_limb_are_exchanged(skeleton):
    """Motion of knees and ankles decides for toes, that of elbows for fingers."""
    target = get_skeleton(skeleton)
    clip = rendered_clip()
    source = get_skeleton('coco-17')
    points = np.zeros((136, target.num_keypoints, 2), np.float32)
    common = [name for name in source.joints if name in target.joints]
    points[:, target.indices(common)] = clip.tracks[0].keypoints[
        :, source.indices(common)
    ]
    limbs = [
        joint
        for joint, name in enumerate(target.joints)
        if name.split('_')[0] in ('left', 'right')
        and any(part in name for part in ('knee', 'ankle', 'toe', 'heel'))
    ]
    mirror = target.flip_indices
    swapped = np.zeros(points.shape[:2], bool)
    swapped[60:69, limbs] = True
    points = np.where(swapped[..., None], points[:, mirror], points)
    track = Track2D(0, np.arange(136), points, np.ones(points.shape[:2], np.float32))
    swaps = find_swaps(track, skeleton, np.arange(136) / 25)
    np.testing.assert_array_equal(swaps, swapped)


@pytest.mark.parametrize('name', ['halpe-26', 'halpe-136'])
def test_eyes_are_no_part_of_a_leg(name):
    """These skeletons connect the head with the middle of the hips."""
    skeleton = get_skeleton(name)
    legs = {skeleton.joints[joint] for joint in joints_of_limbs(name, ['leg'])}
    assert 'left_hip' in legs
    assert not legs & {'left_eye', 'left_ear'}


def test_lifting_repairs_by_default():
    joints = joints_of(KICK, 100)
    pixels, _ = project(joints + floor_offset(joints), CAMERAS[0])
    right = Clip2D.from_arrays(pixels, (1000, 1000), 50, skeleton='h36m-17')
    wrong, _ = swap(right, 'hip knee foot', slice(40, 50))
    expected, repaired, unrepaired = (
        mmhot.lift(clip, pose3d='nanohtnet', device='cpu', without=names).keypoints_3d
        for clip, names in ((right, ()), (wrong, ()), (wrong, 'sides'))
    )
    np.testing.assert_array_equal(repaired, expected)
    assert abs(unrepaired - expected).max() > 0.2


@pytest.mark.parametrize('count', [3, 10, 500])
def test_twisted_hips_are_not_swapped_however_long_they_are_held(count):
    clip = rendered_clip()
    twisted, _ = swap(clip, PARTS['legs'], slice(None))
    track = twisted.tracks[0]
    points, scores = (
        np.repeat(x[:1], count, 0) for x in (track.keypoints, track.scores)
    )
    held = Track2D(0, np.arange(count), points, scores)
    assert not find_swaps(held, clip.skeleton, held.frames / 50).any()


def test_clips_without_scores_are_repaired_alike(caplog):
    caplog.set_level('INFO', 'mmhot')
    clip = mmhot.read_keypoints(SKATER)
    track = clip.tracks[0]
    scores = (track.scores > 0).astype(np.float32)
    unrated = replace(clip, tracks=[replace(track, scores=scores)])
    points, expected = (RepairSides()(x).tracks[0].keypoints for x in (unrated, clip))
    is_seen = np.isfinite(track.keypoints)
    changed = ((points != track.keypoints) & is_seen).any((1, 2)).sum()
    assert changed > 12
    assert ((points != expected) & is_seen).any((1, 2)).sum() < 10
    assert f'(frames: person 0 in {changed}); without' in caplog.text
    wrong, _ = swap(rendered_clip(), PARTS['legs'], slice(60, 69))
    for factor in (1, 0.3):  # any equal scores
        scores = np.full_like(wrong.tracks[0].scores, factor)
        wrong.tracks = [replace(wrong.tracks[0], scores=scores)]
        true = rendered_clip().tracks[0].keypoints
        np.testing.assert_array_equal(RepairSides()(wrong).tracks[0].keypoints, true)


def copy_side(clip, parts, frames):
    """Put the left joints of parts on the right ones in frames, a pixel apart."""
    skeleton, track = get_skeleton(clip.skeleton), clip.tracks[0]
    left, right = (
        skeleton.indices(f'{side}_{part}' for part in parts.split())
        for side in ('left', 'right')
    )
    points = track.keypoints.copy()
    points[np.ix_(frames, left)] = points[np.ix_(frames, right)] + 1
    hidden = np.zeros(track.scores.shape, bool)
    hidden[np.ix_(frames, left)] = True
    return replace(clip, tracks=[replace(track, keypoints=points)]), hidden


@pytest.mark.parametrize('exchanged', [0, 4])
def test_forearms_on_the_other_one_are_missing(exchanged):
    """Between two copies the occluded one may be found under the other's name."""
    clip = rendered_clip()
    frames = np.r_[60:65, 65 + exchanged : 68 + exchanged]
    wrong, _ = swap(clip, 'elbow wrist', slice(65, 65 + exchanged))
    wrong, hidden = copy_side(wrong, 'elbow wrist', frames)
    track = RepairSides()(wrong).tracks[0]
    np.testing.assert_array_equal(np.isnan(track.keypoints[..., 0]), hidden)
    np.testing.assert_array_equal(track.scores == 0, hidden)
    error = np.linalg.norm(track.keypoints - clip.tracks[0].keypoints, axis=-1)
    assert np.nanmax(error) < 2


def test_shins_on_one_another_stay():
    """In a side view they overlap: after a copy their exchange would cost nothing."""
    clip, _ = copy_side(rendered_clip(), 'knee ankle', np.arange(86, 91))
    track = RepairSides()(clip).tracks[0]
    np.testing.assert_array_equal(track.keypoints, clip.tracks[0].keypoints)


@pytest.mark.parametrize('speed', [4, 8, 24])
def test_feet_that_touch_and_part_do_not_cross(speed):
    """Constant velocity would cross them, below wide hips."""
    frames = np.arange(40)
    half = (speed * abs(frames - 19.5)[:, None]).clip(0, 60)
    points = np.full((40, 17, 2), np.nan)
    points[:, [5, 6, 11, 12]] = [[240, 100], [160, 100], [230, 300], [170, 300]]
    points[:, 13:, 0] = 200 + half * [1, -1, 1, -1]
    points[:, 13:, 1] = [400, 400, 500, 500]
    track = Track2D(0, frames, points, np.ones((40, 17)))
    assert not find_swaps(track, 'coco-17', frames / 25).any()


@pytest.mark.parametrize('key', [JUMP, KICK])
@pytest.mark.parametrize('camera', range(len(CAMERAS)))
@pytest.mark.parametrize('stride', [1, 2])
def test_limbs_that_overlap_stay(key, camera, stride):
    joints = joints_of(key, 300)[::stride]
    pixels, _ = project(joints + floor_offset(joints), CAMERAS[camera])
    clip = Clip2D.from_arrays(pixels, (1000, 1000), 50 / stride, skeleton='h36m-17')
    track = RepairSides()(clip).tracks[0]
    np.testing.assert_array_equal(track.keypoints, clip.tracks[0].keypoints)
