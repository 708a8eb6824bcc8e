"""Foot contacts: predict from 2D keypoints which ankles stand."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import naming
from mmhot.io.arrays import load_arrays
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.index import WEIGHTS_FOLDER

FPS = 50.0
"""Frames per second of the network's inputs."""
ANKLES = get_skeleton('h36m-17').indices(['right_foot', 'left_foot'])
_WEIGHTS = WEIGHTS_FOLDER / 'foot-contacts_cmu.npz'


def contact_features(keypoints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Compute the inputs of the network.

    They are positions relative to the root, velocities, and confidences. Positions and
    velocities are relative to the person's size in the image.

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
    placed = (keypoints - keypoints[..., :1, :]) / size
    last = keypoints[..., -1:, :, :]
    velocity = np.diff(keypoints, axis=-3, append=last) / size
    parts = placed, (velocity * 20).clip(-5, 5)
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
    x, layer = _convolve(features, weights, 'embed'), 0
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
    """Load the shipped weights."""
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
