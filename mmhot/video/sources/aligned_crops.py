"""Second estimation of tilted people in crops that are rotated with them."""

from typing import NamedTuple

import cv2
import numpy as np

from mmhot.crops import map_points, unmap_points, warp_smoothly
from mmhot.profiling import span
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.people import EstimatePoses, Poses

# The body's joints come first in COCO's skeletons.
_COCO = get_skeleton('coco-17')
_SHOULDERS = _COCO.indices(('left_shoulder', 'right_shoulder'))
_HIPS = _COCO.indices(('left_hip', 'right_hip'))
_PATCH_SIZE = 2.2  # side of the rotated patch, per longer side of the box
_MAX_SIDE = 768  # larger patches are reduced, pixels
_MARGIN = 0.15  # around the keypoints, per longer side of their extent
_MIN_SCORE, _MIN_KEYPOINTS = 0.3, 6  # of keypoints that determine the box
_NEAR = 0.15  # distance of keypoints that are averaged, per length of the torso


class _Patch(NamedTuple):
    """Surroundings of a tilted person, rotated so that the torso is upright."""

    image: int
    person: int
    pixels: np.ndarray
    matrix: np.ndarray
    box: np.ndarray


@span('aligned crops')
def align_tilted(
    estimate: EstimatePoses,
    images: list[np.ndarray],
    boxes: list[np.ndarray],
    poses: list[Poses],
    min_tilt: float,
) -> list[Poses]:
    """Estimate tilted people again in rotated crops, and combine both estimates.

    A tilted body fills little of its upright bounding box, and models have seen fewer
    of them. The second crop is rotated so that the torso is upright, and fits the
    keypoints of the first.

    Args:
        estimate (Callable): 2D pose estimator of COCO's keypoints.
        images (list[np.ndarray]): BGR images (H, W, 3).
        boxes (list[np.ndarray]): Boxes (P, 4) of each.
        poses (list[Poses]): Their poses: keypoints (P, K, 2), scores (P, K).
        min_tilt (float): Angle between torso and vertical, degrees, from which people
            are estimated again.

    Returns:
        list[Poses]: The poses; keypoints that agree are averaged by their squared
        scores, of others the more confident is taken; scores are means.
    """
    poses = [(points.copy(), scores.copy()) for points, scores in poses]
    patches = [
        _rotate(image, person, images[image], boxes[image][person], pose, tilt[person])
        for image, pose in enumerate(poses)
        for tilt in [_tilts(pose[0])]
        for person in np.flatnonzero(np.abs(tilt) >= min_tilt)
    ]
    if not patches:
        return poses
    found = estimate([patch.pixels for patch in patches], [p.box for p in patches])
    for patch, (points, scores) in zip(patches, found, strict=True):
        all_points, all_scores = poses[patch.image]
        second = unmap_points(patch.matrix, points[0]), scores[0]
        first = all_points[patch.person], all_scores[patch.person]
        all_points[patch.person], all_scores[patch.person] = _combine(first, second)
    return poses


def _tilts(points: np.ndarray) -> np.ndarray:
    """Angles of torsos to the vertical, degrees, clockwise, (P,)."""
    x, y = _torso(points).T
    return np.degrees(np.arctan2(x, -y))


def _torso(points: np.ndarray) -> np.ndarray:
    """Vectors (..., 2) from the hips to the shoulders of keypoints (..., K, 2)."""
    return points[..., _SHOULDERS, :].mean(-2) - points[..., _HIPS, :].mean(-2)


def _rotate(
    image: int,
    person: int,
    pixels: np.ndarray,
    box: np.ndarray,
    poses: Poses,
    tilt: float,
) -> _Patch:
    """Rotate the surroundings of a person, and find the new box."""
    points, scores = (each[person] for each in poses)
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    center = (low + high) / 2
    side = _PATCH_SIZE * max(*(high - low), 1)
    zoom = min(_MAX_SIDE / side, 1.0)
    side = int(np.ceil(zoom * side))
    matrix = cv2.getRotationMatrix2D(center.tolist(), float(tilt), zoom)
    matrix[:, 2] += side / 2 - center
    reliable = scores > _MIN_SCORE
    if reliable.sum() < _MIN_KEYPOINTS:
        reliable[:] = True
    extent = map_points(matrix, points[reliable])
    first, last = extent.min(0), extent.max(0)
    margin = _MARGIN * (last - first).max()
    # not beyond the corners of the rotated box
    corners = [(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])]
    corners = map_points(matrix, np.array(corners))
    first = np.maximum(first - margin, corners.min(0))
    last = np.minimum(last + margin, corners.max(0))
    rotated = warp_smoothly(pixels, matrix, (side, side))
    new = np.concatenate([first, last])[None].astype(np.float32)
    return _Patch(image, person, rotated, matrix, new)


def _combine(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Combine two estimates: keypoints (K, 2) and scores (K,)."""
    points, scores = (np.stack(pair) for pair in zip(first, second, strict=True))
    best = scores.argmax(0)
    rows = np.arange(len(best))
    distance = np.linalg.norm(points - points[best, rows], axis=-1)
    near = distance <= _NEAR * np.linalg.norm(_torso(points[0]))
    near[best, rows] = True
    weights = np.maximum(scores, 1e-6) ** 2 * near
    mean = (points * weights[..., None]).sum(0) / weights.sum(0)[:, None]
    return mean, scores.mean(0)
