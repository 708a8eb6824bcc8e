"""Foot lock: root paths and legs that keep standing feet in place.

A banded linear least-squares problem over all frames of a person finds root and ankles;
two-bone inverse kinematics then places the knees. Contacts are known of ankles only:
toe and heel rest while their ankle does, the toe also after that, at push-off, and the
heel before, at heel strike, while they stay near that place.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np

from mmhot.geometry.smooth_fits import (
    normal_bands,
    rest_equations,
    rest_weights,
    second_differences,
    sight_precision,
    solve_blocks,
)
from mmhot.geometry.windows import solve_in_parts
from mmhot.motion.camera import stable_keypoints
from mmhot.motion.contacts import ANKLES, predict_contacts
from mmhot.motion.offset_fit import Offsets, fit_offsets
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip3D

_H36M = get_skeleton('h36m-17')
LEGS = [
    _H36M.indices([f'{side}_hip', f'{side}_knee', f'{side}_foot'])
    for side in ('right', 'left')
]
_HIPS = [leg[0] for leg in LEGS]

# Standard deviations across and along the line of sight, in meters: of the root, and of
# ankles relative to it; of a standing ankle's velocity, m/s; of the accelerations of
# corrections of the root and of ankles, m/s^2.
_ROOT_ERROR, _ANKLE_ERROR = (0.03, 0.07), (0.03, 0.06)
_SLIDE = 0.04
_ROOT_ACCELERATION, _ANKLE_ACCELERATION = 1.0, 4.0
# A standing ankle that would have to move faster than this, m/s, does not stand.
_ROBUST = 0.1
_ROUNDS = 4
# Smallest probability of a contact; longest leg, relative to its bones.
_LEAST, _STRETCHED = 0.3, 0.995
_REACH_ERROR = 0.003
# Standard deviations of toes and heels across and along the line of sight, and of their
# distances from each other and the ankle, meters.
_END_ERROR, _LENGTH_ERROR = (0.015, 0.06), 0.002
# Seconds that a toe rests at most after its ankle, and a heel before; farthest distance
# of such a point from where it rested, across and along the line of sight, meters.
_LONGEST, _AWAY = 0.25, (0.05, 0.15)
# Sine of the angle between a leg and the hips below which no side is forward.
_SPLITS = 0.2

Contacts = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class LockFeet:
    """Step ``feet``: see :func:`lock_feet`."""

    name = 'feet'

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Keep standing feet in place where frames share their axes."""
        return clip if clip.camera_path is None else lock_feet(clip)


def lock_feet(clip: Clip3D, contacts: Contacts = predict_contacts) -> Clip3D:
    """Keep standing feet in place; frames must share their axes, as of a static camera.

    Root, knees and ankles of people with a foot contact change, as little as possible;
    their leg bones get constant lengths. All other joints keep their position relative
    to the root.

    Args:
        clip (Clip3D): Human3.6M's 17 joints, others on them or none, in ``'camera'``
            axes, with ``root_3d``.
        contacts (Callable): Maps keypoints (T, 17, 2), scores (T, 17) and seconds (T,)
            to the probability that the right and left ankle stand, (T, 2).

    Raises:
        ValueError: If the clip has other joints.
    """
    count = _H36M.num_keypoints
    if clip.joint_names[:count] != _H36M.joints:
        raise ValueError(f'{clip.name}: feet are locked with the joints of h36m-17')
    feet = [
        [ankle, *(joint for joint, at in enumerate(clip.parents) if at == ankle)]
        for ankle in ANKLES
    ]
    poses, root = clip.keypoints_3d.astype(np.float64), clip.root_3d.astype(np.float64)
    keypoints, confidence = stable_keypoints(clip), clip.confidence
    for rows in clip.stretches():
        if len(rows) < 3 or not np.isfinite(root[rows]).all():
            continue
        seconds = clip.seconds(clip.frame[rows])
        seen = keypoints[rows, :count], confidence[rows, :count]
        stands = contacts(*seen, seconds)
        stands = np.where(stands < _LEAST, 0, stands)
        if stands.any():
            old = poses[rows]
            pose, path = lock(old, root[rows], stands, seconds)
            for (ankle, *ends), own in zip(feet, stands.T, strict=True):
                if ends:  # toe and heel of h36m-24
                    pose[:, ends] += (pose - old)[:, [ankle]]
                    points = pose[:, [ankle, *ends]] + path[:, None]
                    pose[:, ends] = hold_foot(points, own, seconds) - path[:, None]
            poses[rows], root[rows] = pose, path
    poses, root = poses.astype(np.float32), root.astype(np.float32)
    return replace(clip, keypoints_3d=poses, root_3d=root)


def lock(
    poses: np.ndarray, root: np.ndarray, stands: np.ndarray, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the standing feet of one person in place.

    Args:
        poses (np.ndarray): Root-relative joints in camera axes, (T, 17, 3).
        root (np.ndarray): Root positions, (T, 3).
        stands (np.ndarray): Probability that the right and left ankle stand, (T, 2).
        seconds (np.ndarray): Timestamps, (T,).
    """
    bones = np.diff(poses[:, np.array(LEGS)], axis=2)
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)  # thighs and shins
    arrays = poses, root, stands, seconds
    moved = solve_in_parts(
        lambda part: _correct(*(each[part] for each in arrays), lengths), len(root)
    )
    new = poses.copy()
    new[:, ANKLES] += moved[:, 1:] - moved[:, :1]
    for leg, own in zip(LEGS, lengths, strict=True):
        bend_knee(new, poses, leg, own)
    return new, root + moved[:, 0]


def _correct(
    poses: np.ndarray,
    root: np.ndarray,
    stands: np.ndarray,
    seconds: np.ndarray,
    lengths: np.ndarray,
) -> np.ndarray:
    """Return corrections of root, right and left ankle, (T, 3, 3)."""
    lifted = poses[:, ANKLES]
    legs, ankles = lifted - poses[:, _HIPS], lifted + root[:, None]
    # normal equations: corrections are small, those of ankles relative to the root, ...
    near = np.zeros((len(root), 3, 3, 3, 3))
    near[:, 0, :, 0] = sight_precision(root, _ROOT_ERROR)
    for side in (1, 2):
        precision = sight_precision(ankles[:, side - 1], _ANKLE_ERROR)
        for row, column in ((0, 0), (0, side), (side, 0), (side, side)):
            near[:, row, :, column] += precision if row == column else -precision
    near = near.reshape(-1, 9, 9)
    # ... smooth, ...
    errors = np.array([_ROOT_ACCELERATION, *[_ANKLE_ACCELERATION] * 2])
    differences = normal_bands(second_differences(seconds, 1.0), len(seconds))
    smooth = np.repeat(errors[:, None] ** -2.0, 3, axis=1)
    smooth = differences[..., None, None] * smooth
    weights, moved = stands[1:] * stands[:-1], np.zeros((len(root), 3, 3))
    for _ in range(_ROUNDS):
        # ... bones reach the ankles, and ankles that stand are at rest
        matrix, right = _reach(legs, moved[:, 1:] - moved[:, :1], lengths)
        bands = smooth.copy()
        for side in range(2):
            own = ankles[:, side], weights[:, side]
            rest, force = rest_equations(*own, seconds, _SLIDE)
            bands[:2, :, side + 1] += rest[..., None]
            right[:, side + 1] += force
        moved = solve_blocks(near + matrix, bands.reshape(3, -1), right)
        weights = rest_weights(stands, ankles + moved[:, 1:], seconds, _ROBUST)
    return moved


def _reach(
    legs: np.ndarray, change: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return normal equations (T, 9, 9), (T, 3, 3) that shorten overstretched legs.

    ``legs`` are from hips to ankles, ``change`` their corrections so far, (T, 2, 3);
    ``lengths`` thigh and shin of both, (2, 2).
    """
    rows, wanted = np.zeros((2, len(legs), 3, 3)), np.zeros((2, len(legs)))
    for side, longest in enumerate(_STRETCHED * lengths.sum(1)):
        line = legs[:, side] + change[:, side]
        size = np.linalg.norm(line, axis=-1)
        along = line * ((size > longest) / size.clip(1e-6) / _REACH_ERROR)[:, None]
        rows[side, :, 0], rows[side, :, side + 1] = -along, along
        wanted[side] = longest / _REACH_ERROR - (along * legs[:, side]).sum(-1)
    flat = rows.reshape(2, len(legs), 9)
    blocks = np.einsum('sti,stj->tij', flat, flat)
    return blocks, np.einsum('stab,st->tab', rows, wanted)


def bend_knee(
    poses: np.ndarray, lifted: np.ndarray, leg: list[int], bones: np.ndarray
) -> None:
    """Place a knee so that thigh and shin have the lengths of ``bones``.

    It bends forward, as the knees of lifted poses show. Poses (T, 17, 3) have new
    ankles, and are changed in place.
    """
    hip, knee, ankle = leg
    thigh, shin = bones
    line = poses[:, ankle] - poses[:, hip]
    length = np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6)
    axis = line / length
    length = length.clip(abs(thigh - shin) + 1e-4, _STRETCHED * (thigh + shin))
    poses[:, ankle] = poses[:, hip] + axis * length
    # knees turn about an axis from hip to hip, in camera axes
    hinge = lifted[:, _HIPS[0]] - lifted[:, _HIPS[1]]
    forward = np.cross(hinge / np.linalg.norm(hinge, axis=-1, keepdims=True), axis)
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True).clip(_SPLITS)
    pole = lifted[:, knee] - lifted[:, hip]
    pole = pole - (pole * axis).sum(-1, keepdims=True) * axis
    ahead = (pole * forward).sum(-1, keepdims=True)
    pole += (0.01 - ahead).clip(0) * forward
    pole /= np.linalg.norm(pole, axis=-1, keepdims=True).clip(1e-6)
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    side = np.sqrt((thigh**2 - along**2).clip(0))
    poses[:, knee] = poses[:, hip] + axis * along + pole * side


def hold_foot(
    points: np.ndarray, stands: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Keep toe and heel of a foot in place while they rest.

    Args:
        points (np.ndarray): Ankle, toe and heel in camera axes, meters, (T, 3, 3).
        stands (np.ndarray): Probability that the ankle stands, (T,).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: New toe and heel, (T, 2, 3), at constant distances from the ankle
        and from each other.
    """
    ankle, ends = points[:, :1], points[:, 1:]
    front, back, sole = (
        np.median(np.linalg.norm(points[:, i] - points[:, j], axis=-1))
        for i, j in combinations(range(3), 2)
    )
    toe_rests = _prolong(ends[:, 0], stands, seconds)
    heel_rests = _prolong(ends[::-1, 1], stands[::-1], -seconds[::-1])[::-1]
    zeros = np.zeros(ends.shape[:2])
    precision = [sight_precision(x, _END_ERROR) for x in ends.swapaxes(0, 1)]
    known = Offsets(
        mean=ends - ankle,
        precision=np.stack(precision, 1),
        joints=np.repeat(ankle, 2, 1),
        rays=np.zeros((*zeros.shape, 2)),
        weights=zeros,
        lengths={(0, -1): front, (1, -1): back, (0, 1): sole},
        seconds=seconds,
        flat=zeros[:, 0],
        up=np.zeros(3),
        rests=np.stack([toe_rests, heel_rests], 1),
        length_error=_LENGTH_ERROR,
    )
    toe, heel = np.moveaxis(fit_offsets(known), 1, 0)
    toe /= np.linalg.norm(toe, axis=-1, keepdims=True)
    heel -= (heel * toe).sum(-1, keepdims=True) * toe
    heel /= np.linalg.norm(heel, axis=-1, keepdims=True)
    cosine = np.clip((front**2 + back**2 - sole**2) / (2 * front * back), -1, 1)
    heel = cosine * toe + np.sqrt(1 - cosine**2) * heel
    return ankle + np.stack([front * toe, back * heel], 1)


def _prolong(places: np.ndarray, stands: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Prolong contacts (T,) while points (T, 3) stay where they rested."""
    rests, on = stands.copy(), stands > 0.5
    edges = np.flatnonzero(np.diff(on, prepend=False))
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        stop = np.searchsorted(seconds, seconds[end] + _LONGEST)
        place = np.median(places[start:end], axis=0)
        away = places[end:stop] - place
        precision = sight_precision(place[None], _AWAY)[0]
        near = np.einsum('ti,ij,tj->t', away, precision, away) < 1
        held = slice(end, end + np.logical_and.accumulate(near).sum())
        rests[held] = np.maximum(rests[held], stands[end - 1])
    return rests
