"""Root positions from 2D and 3D poses, and the floor plane from ankles.

A lifter predicts joints relative to the root. With known intrinsics, the root position
is where the pose projects onto its 2D keypoints.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.geometry.rotations import rotation_matrices
from mmhot.geometry.smooth_fits import normal_bands, second_differences
from mmhot.skeletons.joints import ANKLE_HEIGHT


@dataclass(frozen=True)
class RootErrors:
    """Standard deviations of the fit of root positions, and its limits."""

    # Ranges are those of two motions of CMU with a detector's and with white noise.
    # m; distance of a joint from its ray; 0.5 to 2 of it change errors by 3 %.
    ray: float = 0.025
    # m/s^2; acceleration of the root; 0.5 to 2 of it change errors by 4 %.
    acceleration: float = 4.0
    rounds: int = 4  # iterations of the robust fit; 2 to 40 change errors by .1 %
    # Weight of joints with a lower confidence; 0 to 10 of it change errors by .4 %.
    min_weight: float = 0.05


@dataclass(frozen=True)
class FloorSettings:
    """Settings of the fit of a floor, and of moving people onto it.

    People are moved to the floor if errors of body size and camera tilt explain their
    height above it. Others stand on something. Ranges are those of joints' heights over
    the floor in 19 clips of CMU: lifted with a detector's and with white noise, and
    exact walks and runs with errors of 20 mm that last.
    """

    # m; standard deviation of a lifted ankle's height; 0.5 to 2 of it change heights by
    # 9 %.
    ankle_error: float = 0.06
    # Radians; standard deviation of the mean body axis from vertical; 0.5 to 2 of it
    # change heights by 6 %.
    body_axis_error: float = 0.04
    # Radians; standard deviation of that direction if one floor below several people
    # shows it; 0.5 to 2 of it tilt four scenes by .4 degrees, 4 of it by 1.2.
    shared_floor_error: float = 0.01
    # Weight of ankles above the floor; ankles below it weigh 1. Half of it is 13 %
    # worse for lifted poses, double for runs.
    weight_above: float = 0.05
    # Height above the floor, relative to the distance from the camera, at which that
    # weight falls to a quarter; 0.5 to 2 of it change heights by 6 %.
    decay_height: float = 0.06
    rounds: int = 30  # iterations of the reweighted fits; 15 to 300 give the same
    # Share of poses that must stand for their axes to show what is up; with fewer, the
    # camera counts as level. 0 to 1 of it are equal, 2 of it is 11 % worse.
    min_standing_share: float = 0.1
    # Degrees by which bodies lean towards a camera that looks down steeply. Lifted ones
    # lean less than the camera: 18 projected motions of CMU by at most 35 at 40 degrees
    # and in 62 of 72 cases by more than 38 at 55 to 80; 36 gives the same.
    max_pitch: float = 38.0
    steep_score: float = 0.5  # factor of the confidence of their poses
    # Smallest cosine of this lean; people who lie lean more. Half of it takes 4 of 48
    # views of people who lie for such cameras, double misses 9 of 12 at 70 degrees.
    min_steep: float = 0.2
    # m/s; faster people run, and their axes do not show what is up: necks are 3 degrees
    # ahead of ankles in CMU's walks, 5 at this speed, 9 in runs. 0.5 to 2 of it change
    # heights by 3 %, 10 of it is 25 % worse for runs.
    max_walking_speed: float = 2.0
    # Share of poses that run, above which the floor below the feet shows what is up;
    # 0 to 2 of it change heights by 1 %.
    max_running_share: float = 0.2
    # Radians; standard deviation of the camera's tilt in that case; 0.5 to 2 of it
    # change heights in runs by 9 %.
    running_tilt_error: float = 0.1
    # Radians; the same if the camera counts as level. 0.5 to 10 of it are equal.
    level_tilt_error: float = 1e-6
    # m; given heights stay if the lowest ankles are closer to a floor at zero, as they
    # are in 98 % of 240 motions of CMU: 86 % with half of it, all with 1.5 of it.
    max_height_at_zero: float = 0.06
    # m; hips that move less sideways are pinned in place by the tool that wrote them.
    # The hips of 200 motions of CMU move by 9 cm or more in 3 s.
    max_pinned_motion: float = 1e-4
    # m/s^2 per m of error; acceleration of the floor below one person; 0.5 to 2 of it
    # change heights by 7 %.
    floor_acceleration: float = 7.0
    # Relative error of a body size, and error of the camera's tilt in radians; more is
    # a real height. 0 to 2 of each are equal in the clips, and move people of eight
    # scenes by 2 to 12 cm.
    size_error: float = 0.15
    tilt_error: float = 0.03
    # Seconds; window over which the lowest joint is averaged if the camera moves; 0 to
    # 2 of it change heights by 2 %.
    smoothing_seconds: float = 0.2


ROOT_ERRORS = RootErrors()
FLOOR = FloorSettings()


def place_roots(
    poses: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    focal: np.ndarray,
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Estimate the root positions of one person in consecutive frames.

    Robust least squares minimizes the distances of joints from the rays of their 2D
    keypoints, and the accelerations of the root.

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

    Example:
        Two joints that are 0.5 m apart are 100 pixels apart in the image of a camera
        with a focal length of 1000 pixels, so they are 5 m away:

        >>> poses = np.array([[[0, 0, 0], [0, 0.5, 0]]])
        >>> keypoints = np.array([[[640, 360], [640, 460]]])
        >>> lens = np.array([1000, 1000]), np.array([640, 360])
        >>> root = place_roots(poses, keypoints, np.ones((1, 2)), *lens, np.zeros(1))
        >>> np.abs(root).round(3).tolist()
        [[0.0, 0.0, 5.0]]
    """
    rays = (np.asarray(keypoints, np.float64) - center) / focal
    visible = np.isfinite(rays).all(-1) & np.isfinite(poses).all(-1)
    weights = np.where(visible, np.clip(scores, 0, 1), 0.0)
    weights[(weights > 0).sum(1) < 2] = 0
    if not weights.any():
        return np.full((len(poses), 3), np.nan)
    targets = rays * poses[..., 2:] - poses[..., :2]
    rays[~visible] = targets[~visible] = 0.0
    ray_error = ROOT_ERRORS.ray
    robust = weights
    differences = second_differences(seconds, ROOT_ERRORS.acceleration)
    for _ in range(ROOT_ERRORS.rounds):
        root = _solve(rays, targets, robust / ray_error**2, differences)
        # Weights of a heavy-tailed (Cauchy) error, computed in place, as the arrays
        # (T, K, 2) of long clips are large
        apart = rays * -root[:, None, 2:]
        apart += root[:, None, :2]
        apart -= targets
        apart = np.hypot(apart[..., 0], apart[..., 1]) / (3 * ray_error)
        robust = weights / (1 + apart**2)
    return root


def _solve(
    rays: np.ndarray, targets: np.ndarray, weights: np.ndarray, differences: np.ndarray
) -> np.ndarray:
    """Solve x - ray_x * z = target_x, and the same in y, for the root (T, 3).

    Rays and targets are (T, K, 2), weights (T, K), and differences (3, T - 2) are the
    coefficients of accelerations.
    """
    # Upper triangles of the normal equations of rows (1, 0, -ray_x) and (0, 1, -ray_y)
    normal = np.zeros((len(rays), 3, 3))
    right = np.empty((len(rays), 3))
    normal[:, 0, 0] = normal[:, 1, 1] = weights.sum(1)
    normal[:, :2, 2] = -np.einsum('tk,tka->ta', weights, rays)
    normal[:, 2, 2] = np.einsum('tk,tka,tka->t', weights, rays, rays)
    right[:, :2] = np.einsum('tk,tka->ta', weights, targets)
    right[:, 2] = -np.einsum('tk,tka,tka->t', weights, rays, targets)
    # Diagonals of the normal equations, from upper to lower ones, (13, T, 3)
    bands = np.zeros((13, *right.shape))
    bands[6] = 1e-9
    for row, column in zip(*np.triu_indices(3), strict=True):
        bands[6 + column - row, :, row] += normal[:, row, column]
    for step, products in enumerate(normal_bands(differences, len(rays))):
        bands[6 + 3 * step] += products[:, None]
    banded = bands.reshape(13, -1)
    for offset in range(1, 7):
        banded[6 - offset] = np.roll(banded[6 + offset], offset)
    return scipy.linalg.solve_banded((6, 6), banded, right.ravel()).reshape(right.shape)


def find_floor(
    ankles: np.ndarray, bodies: np.ndarray, lean: float = FLOOR.body_axis_error
) -> tuple[np.ndarray, float]:
    """Fit the floor plane to the lowest ankles.

    Expectile regression: an ankle below the plane weighs twenty times as much as one
    above, and ankles far above weigh even less. The prior of the normal is the median
    body axis, which decides if people stay in one place.

    Args:
        ankles (np.ndarray): Positions relative to the camera, z approximately up,
            meters, (N, 3).
        bodies (np.ndarray): Body axes of people who stand, (M, 3). Without any, the z
            axis is the prior.
        lean (float): Standard deviation of the mean body axis from vertical, radians.

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
    # Errors of consecutive frames are correlated, so the mean of many stays uncertain.
    variance = FLOOR.ankle_error**2 * max(len(ankles) / 100, 1)
    prior = variance * np.diag([1 / lean**2, 1 / lean**2, 0.0])
    # Slopes along x and y of the plane perpendicular to the bodies
    expected = np.zeros(3)
    if len(bodies):
        expected[:2] = -np.median(bodies[:, :2] / bodies[:, 2:], axis=0)
    plane = expected + [0, 0, np.percentile(offsets[:, 2], 5)]
    high = FLOOR.decay_height * np.linalg.norm(ankles, axis=1)
    for _ in range(FLOOR.rounds):
        height = offsets[:, 2] - columns @ plane
        above = FLOOR.weight_above / (1 + (height / high) ** 2) ** 2
        weights = np.where(height > 0, above, 1.0)
        normal = (columns * weights[:, None]).T @ columns + prior
        pull = (columns * weights[:, None]).T @ offsets[:, 2] + prior @ expected
        plane = np.linalg.solve(normal, pull)
    up = np.array([-plane[0], -plane[1], 1.0])
    up /= np.linalg.norm(up)
    axis = np.cross(up, [0, 0, 1])
    sine = np.linalg.norm(axis)
    rotation = rotation_matrices(axis * (np.arcsin(sine) / max(sine, 1e-12)))
    on_plane = middle + [0, 0, plane[2]]
    return rotation, float(rotation[2] @ on_plane) - ANKLE_HEIGHT


def is_pinned(root: np.ndarray) -> bool:
    """Return whether a person moves up and down only.

    Some tools write poses like this: the hips stay above one point.

    Args:
        root (np.ndarray): Root positions, z up, meters, (T, 3).

    Returns:
        bool: Whether x and y stay.
    """
    return bool(
        len(root) > 1 and (np.ptp(root[:, :2], axis=0) < FLOOR.max_pinned_motion).all()
    )


def find_own_floor(lowest: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Fit a slowly changing floor below one person's lowest joint.

    Args:
        lowest (np.ndarray): Height of the lowest joint, meters, (T,).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: Height of the floor, meters, (T,).
    """
    differences = second_differences(seconds, FLOOR.floor_acceleration)
    bands = normal_bands(differences, len(lowest))
    floor = np.percentile(lowest, 5)
    for _ in range(FLOOR.rounds):
        weights = np.where(lowest > floor, FLOOR.weight_above, 1.0)
        weighted = np.concatenate([bands[:1] + weights, bands[1:]])
        floor = scipy.linalg.solveh_banded(weighted, weights * lowest, lower=True)
    return floor
