"""Foot contacts: predict from 2D keypoints which ankles stand, and reject gliding ones.

A contact is a run of frames in which one ankle stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import naming
from mmhot.geometry.smooth_fits import sight_precision
from mmhot.io.arrays import load_arrays
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.index import WEIGHTS_FOLDER

FPS = 50.0
"""Frames per second of the network's inputs."""
ANKLES = get_skeleton('h36m-17').indices(['right_foot', 'left_foot'])
Contacts = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Predicts contacts, called like :func:`predict_contacts`."""
_WEIGHTS = WEIGHTS_FOLDER / 'foot-contacts_cmu.npz'


@dataclass(frozen=True)
class ContactLimits:
    """Limits that tell standing ankles from gliding ones.

    Pairs are across and along the line of sight.
    """

    # Probability of a contact; lower ones count as zero. With half of it errors stay
    # within 2 %, with double ankles are 9 % worse, with 0 42 %.
    min_contact: float = 0.3
    # m; standard deviations of the lifted root, and of an ankle relative to it. Motion
    # within them does not show that an ankle glides. Ranges from here on are those of
    # 30 lifted people on treadmills, of whom 22 are recognized, and of 121 clips of
    # others. With half of these errors ankles on the ground move .7 % less evenly; with
    # 2 to 10 of them one treadmill less is recognized.
    root_error: tuple[float, float] = (0.03, 0.07)
    ankle_error: tuple[float, float] = (0.03, 0.06)
    # m; path of an ankle that rolls over its standing foot. 0 to .5 of it recognize one
    # treadmill more, 2 to 10 of it one less.
    ankle_roll: float = 0.014
    # Standard deviations; an ankle that is farther from its contact is not standing.
    # With half of it ankles on the ground move 5 % less evenly; with 2 to 10 of it one
    # treadmill less is recognized.
    max_contact_error: float = 2.5
    # Path of an ankle relative to the root, as a share of its path in space; below this
    # share the body moves as one (treadmill, skates). 0 to 1 of it change no foot on
    # the ground; with double their ankles move .7 % less evenly.
    max_relative_path: float = 0.5
    # Distance from start to end of a path, as a share of its length; below this share
    # the path comes back, as errors do. With .7 3 treadmills less are recognized, with
    # .8 6; with .5 a tennis player seems to be on one.
    min_straightness: float = 0.6
    # Number of contacts; a person with fewer does not walk in place. With 2
    # to 4 of them results are equal, with 8 2 treadmills less are recognized.
    min_contacts: int = 4
    # m/s; mean speed of the ankles during contacts. People whose ankles are slower do
    # not walk in place. It is .2 to .6 in six walks of CMU at 1 m/s, lifted on
    # treadmills. Half of it is equal, double recognizes 4 treadmills less; without it a
    # rendered person who sits down seems to walk in place.
    min_contact_speed: float = 0.15
    # Path of the root in the direction of the ankles, as a share of the ankles' path;
    # below this share a person walks in place. It is .24 to 9 in lifted walks on the
    # ground, and -1 to .1 on treadmills. Half of it recognizes one treadmill less,
    # double one more.
    max_root_share: float = 0.1


def contact_features(keypoints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Compute the inputs of the network: positions, velocities and confidences.

    Positions are relative to the root. Positions and velocities (per frame) are in
    units of the person's size in the image.

    Args:
        keypoints (np.ndarray): Human3.6M's joints in pixels at 50 frames per second,
            (..., T, 17, 2).
        scores (np.ndarray): Confidences, (..., T, 17).

    Returns:
        np.ndarray: Features, (..., T, 85) float32.
    """
    size = keypoints.var(-2).sum(-1)  # (..., T)
    # The size is averaged over a second, so that neither poses nor noise change it.
    size = scipy.ndimage.uniform_filter1d(size, int(FPS) + 1, mode='nearest')
    size = np.sqrt(size.clip(1e-6))[..., None, None]
    relative = (keypoints - keypoints[..., :1, :]) / size
    last = keypoints[..., -1:, :, :]
    velocity = np.diff(keypoints, axis=-3, append=last) / size
    # Scaled and limited as in training
    parts = [relative, (velocity * 20).clip(-5, 5)]
    flat = [part.reshape(*scores.shape[:-1], -1) for part in parts]
    return np.concatenate([*flat, scores], -1).astype(np.float32)


def contact_logits(
    features: np.ndarray, weights: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Run the network: residual dilated convolutions over time.

    Args:
        features (np.ndarray): See :func:`contact_features`, (T, 85).
        weights (Mapping[str, np.ndarray]): See :func:`load_contact_weights`.

    Returns:
        np.ndarray: Logits of contacts of the right and left ankle, (T, 2).
    """
    x = _convolve(features, weights, 'embed')
    layer = 0
    while f'layers.{layer}.weight' in weights:
        x = x + _convolve(_gelu(x), weights, f'layers.{layer}', 2**layer)
        layer += 1
    return _convolve(_gelu(x), weights, 'head')


def _gelu(x: np.ndarray) -> np.ndarray:
    """Compute GELU of features (T, C)."""
    return x * scipy.special.ndtr(x)


def _convolve(
    x: np.ndarray, weights: Mapping[str, np.ndarray], name: str, dilation: int = 1
) -> np.ndarray:
    """Convolve (T, C) over time with zero padding; returns (T, C')."""
    kernel = weights[f'{name}.weight']  # (C', C, taps)
    taps = range(kernel.shape[2])
    padding = len(taps) // 2 * dilation
    padded = np.pad(x, ((padding, padding), (0, 0)))
    parts = (
        padded[tap * dilation : tap * dilation + len(x)] @ kernel[:, :, tap].T
        for tap in taps
    )
    return sum(parts) + weights[f'{name}.bias']


@cache
def load_contact_weights() -> dict[str, np.ndarray]:
    """Load the shipped weights: arrays of the layers by name."""
    with naming(_WEIGHTS):
        arrays = load_arrays(_WEIGHTS)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def predict_contacts(
    keypoints: np.ndarray, scores: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Predict the probability that the right and left ankle stand.

    Args:
        keypoints (np.ndarray): Human3.6M's joints in pixels, consecutive frames,
            (T, 17, 2).
        scores (np.ndarray): Confidences, (T, 17).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: Probabilities of the right and left ankle, (T, 2).
    """
    count = int(round((seconds[-1] - seconds[0]) * FPS, 6)) + 1
    times = seconds[0] + np.arange(count) / FPS
    inputs = np.concatenate([keypoints, scores[..., None]], -1).reshape(len(scores), -1)
    finite = np.where(np.isfinite(inputs), inputs, 0)
    even = np.stack([np.interp(times, seconds, column) for column in finite.T], -1)
    even = even.reshape(count, scores.shape[1], 3)
    features = contact_features(even[..., :2], even[..., 2])
    probability = scipy.special.expit(contact_logits(features, load_contact_weights()))
    return np.stack([np.interp(seconds, times, column) for column in probability.T], -1)


def drop_gliding_contacts(
    stands: np.ndarray,
    ankles: np.ndarray,
    root: np.ndarray,
    seconds: np.ndarray,
    limits: ContactLimits = ContactLimits(),
) -> np.ndarray | None:
    """Drop the contacts of ankles that glide, as feet on skates do.

    Args:
        stands (np.ndarray): Probability that the right and left ankle stand, (T, 2).
        ankles (np.ndarray): Ankles in camera axes, meters, (T, 2, 3).
        root (np.ndarray): Root in camera axes, meters, (T, 3).
        seconds (np.ndarray): Timestamps, (T,).
        limits (ContactLimits): Limits of standing ankles.

    Returns:
        np.ndarray | None: Probabilities with 0 for gliding ankles, (T, 2); None if the
        person glides in most frames with contacts, or walks in place.
    """
    labels, _ = scipy.ndimage.label(stands > 0, [[0, 1, 0]] * 3)  # sides apart
    contacts = scipy.ndimage.find_objects(labels)
    if _walks_in_place(contacts, ankles, root, seconds, limits):
        return None
    held = stands.copy()
    num_gliding = 0
    for rows, side in contacts:
        ankle = ankles[rows, side.start]
        if glides(ankle, root[rows], limits):
            num_gliding += len(ankle)
            held[rows, side] = 0
    return held if np.count_nonzero(held) >= num_gliding else None


def _walks_in_place(
    contacts: list[tuple[slice, slice]],
    ankles: np.ndarray,
    root: np.ndarray,
    seconds: np.ndarray,
    limits: ContactLimits,
) -> bool:
    """Return whether a person walks in place, as on a treadmill.

    Standing feet move in one direction, and the root does not. Contacts are rows and
    sides of ankles (T, 2, 3); the root is (T, 3), all in meters. This complements
    :func:`glides`: lifted feet move too little in depth, so that people who face the
    camera on a treadmill do not seem to glide. There, contacts are found only in parts.
    """
    if len(contacts) < limits.min_contacts:
        return False
    sides = np.array([side.start for _, side in contacts])
    paths = np.array([_path(ankles[rows, side.start]) for rows, side in contacts])
    root_path = np.array([_path(root[rows]) for rows, _ in contacts]).sum(0)
    duration = sum(seconds[rows][-1] - seconds[rows.start] for rows, _ in contacts)
    distance = np.linalg.norm(paths.sum(0))
    direction = paths.sum(0) / max(distance, 1e-9)
    length = np.linalg.norm(paths, axis=1).sum()
    is_straight = distance > limits.min_straightness * length
    is_fast = distance > limits.min_contact_speed * duration
    feet = [(paths[sides == side] @ direction).sum() for side in range(2)]
    root_stays = root_path @ direction < limits.max_root_share * distance
    return bool(is_straight and is_fast and min(feet) >= 0 and root_stays)


def glides(
    ankle: np.ndarray, root: np.ndarray, limits: ContactLimits = ContactLimits()
) -> bool:
    """Return whether an ankle in contact moves farther than its errors explain.

    Errors of the root move ankle and root alike, and come back. If the ankle moves
    relative to the root, or comes back, its own errors explain more of the movement.

    Args:
        ankle (np.ndarray): Ankle during a contact, camera axes, meters, (T, 3).
        root (np.ndarray): Root in the same frames, (T, 3).
        limits (ContactLimits): Limits of standing ankles.

    Returns:
        bool: Whether the ankle glides.

    Example:
        Two people move by half a meter, four meters away. The ankle of the skater moves
        alike and glides; the ankle of the pedestrian moves by 5 cm and stands:

        >>> root = np.linspace([0, 0, 4], [0.5, 0, 4], 25)
        >>> glides(root + [0, 0.9, 0], root)
        True
        >>> glides(np.linspace([0, 0.9, 4], [0.05, 0.9, 4], 25), root)
        False
    """
    across, along = np.hypot(limits.root_error, limits.ankle_roll)
    parts = np.array_split(ankle, min(len(ankle), 5))
    steps = np.diff([part.mean(0) for part in parts], axis=0)
    length = np.linalg.norm(steps, axis=1).sum()
    comes_back = np.linalg.norm(steps.sum(0)) < limits.min_straightness * length
    least = limits.max_relative_path * _spread(ankle)
    if comes_back or _spread(ankle - root) > least:
        across, along = np.hypot((across, along), limits.ankle_error)
    away = ankle - np.median(ankle, axis=0)
    precision = sight_precision(ankle, (across, along))
    distances = np.einsum('ti,tij,tj->t', away, precision, away)  # squared
    return bool(np.quantile(distances, 0.8) > limits.max_contact_error**2)


def _path(places: np.ndarray) -> np.ndarray:
    """Return the displacement (3,) of places (T, 3), first fifth to last fifth."""
    count = max(len(places) // 5, 1)
    return places[-count:].mean(0) - places[:count].mean(0)


def _spread(places: np.ndarray) -> float:
    """Return the 80th percentile of the distances of places (T, 3) to their median."""
    away = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return float(np.quantile(away, 0.8))
