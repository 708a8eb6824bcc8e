"""Conventions that arrays of people do not state: order of joints and people, axes."""

import logging
from collections.abc import Iterable

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
_THORAX, _HEAD = _H36M.indices(['thorax', 'head'])
_PAIRS = [
    _H36M.indices([f'left_{part}', f'right_{part}'])
    for part in ('foot', 'knee', 'hip', 'wrist')
]
# Joints from top to bottom, by their names in all skeletons.
_LEVELS = (
    ('head_top', 'head_center', 'neck_base', 'nose'),
    *(
        (f'left_{part}', f'right_{part}')
        for part in ('shoulder', 'hip', 'knee', 'ankle')
    ),
)
# Shares of the height of a person: between levels at least, between both shoulders, and
# both hips, at most.
_STEP, _TILT = 0.05, 0.12
# Shares of the frames in which people stand: in the usual order, and in another.
_LEAST_UPRIGHT, _MOST_UPRIGHT = 0.05, 0.5
_LEAST_TRUNK = 0.7  # of the mean direction of trunks along the axis that is up
# Cosines of the largest angles between trunk and legs, and between thighs and shins, of
# people who stand. Larger angles count more people who bend and sit: nobody who bends by
# 60 degrees counts, and 435 of 458 motions of CMU do in a tenth of their frames.
_UNBENT, _STRAIGHT = np.cos(np.radians([25, 50]))
# Knees bend forwards by this share of all bends at most in mirrored poses, and on
# average by this share of the leg. In 458 clips of CMU the first is above 0.8.
_MOST_FORWARD, _LEAST_BEND = -0.5, -0.03
# Person sizes: from frame to frame people move less than the first; those who moved by
# more than the second have another place.
_NEAR, _FAR = 0.25, 0.5
_CLEARLY = 0.5  # of the distance, at which those who change places do so near others


def joint_order(points: np.ndarray, usual: Skeleton, name: str) -> Skeleton:
    """Recognize the skeleton of unnamed joints by people who stand.

    Points are pixels (N, K, 2), or positions with any axis up, (N, K, 3). The usual
    skeleton stays if people stand in its order.
    """
    count, size = points.shape[-2:]
    skeletons = [x for x in SKELETONS.values() if x.num_keypoints == count]
    heights = [points[..., axis] * sign for axis in range(size) for sign in (1, -1)]
    heights = heights[-1:] if size == 2 else heights  # y down

    def share(skeleton: Skeleton, least: int = 3) -> float:
        return max(upright(y, skeleton, least).mean() for y in heights)

    if len(skeletons) == 1 or share(usual) >= _LEAST_UPRIGHT:
        return usual
    best = max(skeletons, key=share)
    if share(best) >= _MOST_UPRIGHT:
        text = (
            '%s: %d joints without names are read as %s, in whose order people stand; '
            '{skeleton} states another'
        )
    elif share(usual, 1) >= _LEAST_UPRIGHT:  # half of people who stand or sit
        return usual
    else:
        text = (
            '%s: the order of %d joints without names is not recognized, as no person '
            'stands: read as %s; {skeleton} states another'
        )
        best = usual
    _LOGGER.warning(ArgumentError(text, name, count, best.name))
    return best


def upright(heights: np.ndarray, skeleton: Skeleton, least: int) -> np.ndarray:
    """Mark the poses (N,) of heights (N, K) whose joints are above each other.

    These are head, shoulders, hips, knees and ankles, with at least so many steps
    between known ones.
    """
    names = [skeleton.meanings.get(x, x) for x in skeleton.joints]
    groups = [
        heights[:, [names.index(x) for x in level]]
        if (level := [x for x in parts if x in names])
        else np.full((len(heights), 1), np.nan)
        for parts in _LEVELS
    ]
    with ignored_warnings():  # of people without joints
        span = np.nanmax(heights, 1) - np.nanmin(heights, 1)
        steps = -np.diff([group.mean(1) for group in groups], axis=0) / span
        is_level = [~(np.ptp(x, axis=1) > _TILT * span) for x in groups[1:3]]
    is_known = np.isfinite(steps)
    is_down = (steps > _STEP) | ~is_known
    return is_down.all(0) & np.all(is_level, axis=0) & (is_known.sum(0) >= least)


def warn_of_upside_down(points: np.ndarray, skeleton: Skeleton, name: str) -> None:
    """Log that people of pixels (N, K, 2) stand on their heads, as if y pointed up."""
    down, up = (upright(s * points[..., 1], skeleton, 3).mean() for s in (-1, 1))
    if up >= _MOST_UPRIGHT and down < _LEAST_UPRIGHT:
        _LOGGER.warning('%s: people stand on their heads: pixels have y down', name)


def up_axes(trunks: np.ndarray, name: str) -> str:
    """Recognize the axes of poses by the mean direction of trunks, 'camera' if unclear.

    Trunks are vectors from pelvis to thorax, NaN where unknown, (N, 3).
    """
    trunks = trunks[np.linalg.norm(trunks, axis=-1) > 0]
    if not len(trunks):
        return 'camera'
    mean = (trunks / np.linalg.norm(trunks, axis=-1, keepdims=True)).mean(0)
    axis = int(np.abs(mean).argmax())
    side = ('+' if mean[axis] > 0 else '-') + 'xyz'[axis]
    if side == '-y':
        return 'camera'
    axes = 'camera'
    if abs(mean[axis]) > _LEAST_TRUNK:
        axes = {'+z': 'z-up', '+y': 'y-up'}.get(side, axes)
    text = '%s: trunks point along %s: read as %s axes; {given_axes} states others'
    _LOGGER.warning(ArgumentError(text, name, side, axes))
    return axes


def standing_axes(body: np.ndarray) -> np.ndarray:
    """Return unit vectors from feet to neck of people who seem to stand, NaN of others.

    Trunk and legs of these bodies in Human3.6M's joints, (T, 17, 3), have about one
    direction, (T, 3), and not both hands are beyond the head. Bodies that lie straight
    are among them.
    """
    feet, knees, hips, hands = (body[:, pair].mean(1) for pair in _PAIRS)
    neck, head = body[:, _THORAX], body[:, _HEAD]
    axis, trunk, leg, thigh, shin = map(
        unit_vectors, (neck - feet, neck - hips, hips - feet, hips - knees, knees - feet)
    )
    stands = ((trunk * leg).sum(-1) > _UNBENT) & ((thigh * shin).sum(-1) > _STRAIGHT)
    stands &= ~(((hands - head) * axis).sum(-1) > 0)
    return np.where(stands[:, None], axis, np.nan)


def are_mirrored(body: np.ndarray) -> bool:
    """Return whether the knees of bodies in Human3.6M's joints (T, 17, 3) bend back.

    They do so in left-handed axes, as of Unity and of MMPose's 3D demo.
    """
    hip, knee, foot = (
        body[:, _H36M.indices([f'left_{x}', f'right_{x}'])]
        for x in ('hip', 'knee', 'foot')
    )
    across, leg = hip[:, :1] - hip[:, 1:], hip - foot
    forwards = (np.cross(across, leg) * (knee - foot)).sum(-1)
    size = np.linalg.norm(across, axis=-1) * (leg**2).sum(-1)
    bend = forwards[size > 0] / size[size > 0]
    share = bend.sum() / max(np.abs(bend).sum(), 1e-9)
    return bool(share < _MOST_FORWARD and bend.mean() < _LEAST_BEND)


def follow_people(points: np.ndarray, name: str) -> np.ndarray:
    """Find the person of each place in arrays whose people change places.

    Of pixels or positions (T, P, K, C), NaN where unknown, these are for each frame the
    place of each person, by which people move least from frame to frame, (T, P).
    """
    people, num_frames = np.arange(points.shape[1]), len(points)
    # people without points keep their place if it is free
    far_away = 1e9 - np.eye(len(people))
    with ignored_warnings():  # of people without points
        extent = np.nanmax(points, 2) - np.nanmin(points, 2)
        size = np.nanmedian(extent, (0, 1)).max()
        # the last frame in which each place has points
        is_seen = np.isfinite(points).any((2, 3))
        seen = np.maximum.accumulate(
            np.where(is_seen, np.arange(num_frames)[:, None], 0), axis=0
        )
        steps = points[1:] - points[seen[:-1], people]
        steps = np.nanmedian(np.linalg.norm(steps, axis=-1), -1)

    def follow(frames: Iterable[int], least: float) -> np.ndarray:
        order, places, since = np.tile(people, (num_frames, 1)), people, 0
        last = points[0].copy()
        for frame in frames:
            before = seen[frame - 1, places]
            last[before >= since] = points[before, places][before >= since]
            apart = np.linalg.norm(last[:, None] - points[frame], axis=-1)
            apart = np.nanmedian(apart, -1) / size
            costs = np.where(np.isnan(apart), far_away, apart)
            _, nearest = scipy.optimize.linear_sum_assignment(costs)
            has_moved = nearest != places
            if not has_moved.any():
                continue
            moved, stayed = (apart[people, x][has_moved] for x in (nearest, places))
            is_other = ~((moved > _NEAR).any() | (stayed < _FAR).any())
            if is_other or moved.sum() < least * stayed.sum():
                places, since = nearest, frame
                order[frame:] = places
        return order

    with ignored_warnings():
        order = follow((np.flatnonzero((steps > _FAR * size).any(1)) + 1).tolist(), 0)
        if (order != people).any():  # near each other, too
            order = follow(range(1, num_frames), _CLEARLY)
    changed = (order != people).any(1)
    if changed.any():
        text = '%s: people change places in %d of %d frames: followed by distance'
        _LOGGER.warning(text, name, changed.sum(), num_frames)
    return order
