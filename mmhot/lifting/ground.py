"""The floor under people, from where their feet are lowest."""

import numpy as np
from scipy.spatial.transform import Rotation

# Ankles are about so far above the floor, meters.
ANKLE_HEIGHT = 0.08

# How far off a lifted ankle is, meters, and a mean posture from upright, radians.
_ANKLE_ERROR = 0.06
_LEAN = 0.04
# Share of the weight of ankles above the floor: most are, of somebody who walks.
_ABOVE = 0.05
_ROUNDS = 30


def find_floor(ankles: np.ndarray, bodies: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the plane that ankles come down to.

    An expectile regression: ankles below the plane pull twenty times as hard as those
    above. It starts from people's mean posture as the vertical, which is all that there
    is to go by where they stay in one place.

    Args:
        ankles (np.ndarray): Positions, z up as far as is known, meters, (N, 3).
        bodies (np.ndarray): Directions from people's feet to their necks, (M, 3).

    Returns:
        tuple[np.ndarray, float]: Rotation (3, 3) after which the plane is level, and
        the height of the plane's floor after it: ``ankles @ rotation.T`` less this
        height are ``ANKLE_HEIGHT`` high when they stand.
    """
    ankles = ankles[np.isfinite(ankles).all(-1)]
    if not len(ankles):
        return np.eye(3), 0.0
    middle = np.median(ankles, axis=0)
    offsets = ankles - middle
    columns = np.column_stack([offsets[:, :2], np.ones(len(offsets))])
    # the error of a mean of many frames is no smaller than that of a few steps
    doubt = _ANKLE_ERROR**2 * max(len(ankles) / 100, 1)
    prior = np.diag([1 / _LEAN**2, 1 / _LEAN**2, 0.0])
    expected = np.append(_slopes(bodies), 0.0)
    plane = expected + [0, 0, np.percentile(offsets[:, 2], 5)]
    for _ in range(_ROUNDS):
        above = offsets[:, 2] > columns @ plane
        weights = np.where(above, _ABOVE, 1.0) / doubt
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


def _slopes(bodies: np.ndarray) -> np.ndarray:
    """Slopes along x and y of the plane that bodies are upright on, (2,)."""
    bodies = bodies[np.isfinite(bodies).all(-1)]
    upright = bodies[bodies[:, 2] > 0.7 * np.linalg.norm(bodies, axis=-1)]
    if not len(upright):
        return np.zeros(2)
    return -np.median(upright[:, :2] / upright[:, 2:], axis=0)
