"""Root positions from 2D and 3D poses, and the floor plane from ankles.

A lifter predicts joints relative to the root. With known intrinsics, the root position
is the one from which the pose projects onto its 2D keypoints.
"""

import numpy as np
from scipy.linalg import solve_banded, solveh_banded
from scipy.spatial.transform import Rotation

from mmhot.geometry.smooth_fits import normal_bands, second_differences
from mmhot.skeletons.joints import ANKLE_HEIGHT

# Standard deviations of a joint's distance from its ray, in meters, and of the
# acceleration of hips, in m/s^2.
_RAY_ERROR = 0.025
_ACCELERATION = 4.0
_ROUNDS = 4

# Standard deviations of the height of lifted ankles, in meters, and of the mean body
# axis from vertical, in radians.
_ANKLE_ERROR, _LEAN = 0.06, 0.04
# Weight of ankles above the floor relative to those below it, and the height, relative
# to the distance, at which a quarter of it is left: people may stand on boxes.
_ABOVE, _HIGH = 0.05, 0.06
_FLOOR_ROUNDS = 30
# Acceleration of the floor of one person, in m/s^2 per meter of a joint's error.
_DRIFT = 7.0


def place_roots(
    poses: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    focal: np.ndarray,
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Estimate the root positions of one person in consecutive frames.

    Robust least squares over the distances of joints from the rays of their 2D
    keypoints and over the accelerations of the root.

    Args:
        poses (np.ndarray): Root-relative joints in camera axes (x right, y down, z
            away), meters, (T, K, 3).
        keypoints (np.ndarray): 2D keypoints in pixels, NaN where missing, (T, K, 2).
        scores (np.ndarray): Confidences, used as weights, (T, K).
        focal (np.ndarray): Focal lengths in pixels, (2,).
        center (np.ndarray): Principal point in pixels, (2,).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: Root positions in camera axes, meters, (T, 3); NaN if no frame has
        two known joints.
    """
    # long clips: no array (T, K, 3) but the given one
    rays = (np.asarray(keypoints, np.float64) - center) / focal
    known = np.isfinite(rays).all(-1) & np.isfinite(poses).all(-1)
    weights = np.where(known, np.clip(scores, 0, 1), 0.0)
    weights[(weights > 0).sum(1) < 2] = 0
    if not weights.any():
        return np.full((len(poses), 3), np.nan)
    targets = rays * poses[..., 2:] - poses[..., :2]
    rays[~known] = targets[~known] = 0.0
    robust, differences = weights, second_differences(seconds, _ACCELERATION)
    for _ in range(_ROUNDS):
        root = _solve(rays, targets, robust / _RAY_ERROR**2, differences)
        # weights of a heavy-tailed (Cauchy) error
        errors = rays * -root[:, None, 2:]
        errors += root[:, None, :2]
        errors -= targets
        errors = np.hypot(*np.moveaxis(errors, -1, 0)) / (3 * _RAY_ERROR)
        robust = weights / (1 + errors**2)
    return root


def _solve(
    rays: np.ndarray, targets: np.ndarray, weights: np.ndarray, differences: np.ndarray
) -> np.ndarray:
    """Solve x - ray * z = target (T, K, 2), in x and y, for the root (T, 3)."""
    # normal equations of the rows (1, 0, -ray_x) and (0, 1, -ray_y), upper triangles
    normal, right = np.zeros((len(rays), 3, 3)), np.empty((len(rays), 3))
    normal[:, 0, 0] = normal[:, 1, 1] = weights.sum(1)
    normal[:, :2, 2] = -np.einsum('tk,tka->ta', weights, rays)
    normal[:, 2, 2] = np.einsum('tk,tka,tka->t', weights, rays, rays)
    right[:, :2] = np.einsum('tk,tka->ta', weights, targets)
    right[:, 2] = -np.einsum('tk,tka,tka->t', weights, rays, targets)
    # diagonals of the normal equations, the lower ones last, (13, T, 3)
    bands = np.zeros((13, *right.shape))
    bands[6] = 1e-9
    for row, column in zip(*np.triu_indices(3), strict=True):
        bands[6 + column - row, :, row] += normal[:, row, column]
    for step, products in enumerate(normal_bands(differences, len(rays))):
        bands[6 + 3 * step] += products[:, None]
    banded = bands.reshape(13, -1)
    for offset in range(1, 7):
        banded[6 - offset] = np.roll(banded[6 + offset], offset)
    return solve_banded((6, 6), banded, right.ravel()).reshape(right.shape)


def find_floor(ankles: np.ndarray, bodies: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit the floor plane to the lowest ankles.

    Expectile regression: ankles below the plane weigh twenty times as much as those
    above, and those far above even less. The prior of the normal is the mean body axis,
    which decides where people stay in one place.

    Args:
        ankles (np.ndarray): Relative to the camera, z about up, meters, (N, 3).
        bodies (np.ndarray): Directions from feet to neck, (M, 3).

    Returns:
        tuple[np.ndarray, float]: Rotation (3, 3) that levels the plane, and the floor's
        height after it: ``(ankles @ rotation.T)[:, 2]`` minus this height is
        ``ANKLE_HEIGHT`` for standing people.
    """
    ankles = ankles[np.isfinite(ankles).all(-1)]
    if not len(ankles):
        return np.eye(3), 0.0
    middle = np.median(ankles, axis=0)
    offsets = ankles - middle
    columns = np.column_stack([offsets[:, :2], np.ones(len(offsets))])
    # errors of consecutive frames are correlated: the mean of many stays uncertain
    variance = _ANKLE_ERROR**2 * max(len(ankles) / 100, 1)
    prior = variance * np.diag([1 / _LEAN**2, 1 / _LEAN**2, 0.0])
    # slopes along x and y of the plane perpendicular to the bodies
    expected, bodies = np.zeros(3), bodies[np.isfinite(bodies).all(-1)]
    upright = bodies[bodies[:, 2] > 0.7 * np.linalg.norm(bodies, axis=-1)]
    if len(upright):
        expected[:2] = -np.median(upright[:, :2] / upright[:, 2:], axis=0)
    plane = expected + [0, 0, np.percentile(offsets[:, 2], 5)]
    high = _HIGH * np.linalg.norm(ankles, axis=1)
    for _ in range(_FLOOR_ROUNDS):
        height = offsets[:, 2] - columns @ plane
        weights = np.where(height > 0, _ABOVE / (1 + (height / high) ** 2) ** 2, 1.0)
        normal = (columns * weights[:, None]).T @ columns + prior
        pull = (columns * weights[:, None]).T @ offsets[:, 2] + prior @ expected
        plane = np.linalg.solve(normal, pull)
    up = np.array([-plane[0], -plane[1], 1.0])
    up /= np.linalg.norm(up)
    axis = np.cross(up, [0, 0, 1])
    sine = np.linalg.norm(axis)
    rotation = Rotation.from_rotvec(axis * (np.arcsin(sine) / max(sine, 1e-12)))
    on_plane = middle + [0, 0, plane[2]]
    return rotation.as_matrix(), float(rotation.apply(on_plane)[2]) - ANKLE_HEIGHT


def find_own_floor(lowest: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Fit heights (T,) of a slowly changing floor below one person's lowest joint."""
    differences = second_differences(seconds, _DRIFT)
    bands = normal_bands(differences, len(lowest))
    floor = np.percentile(lowest, 5)
    for _ in range(_FLOOR_ROUNDS):
        weights = np.where(lowest > floor, _ABOVE, 1.0)
        weighted = np.concatenate([bands[:1] + weights, bands[1:]])
        floor = solveh_banded(weighted, weights * lowest, lower=True)
    return floor
