"""What smoothing is worth: how much less motion shakes, and how late it becomes."""

from collections.abc import Iterable

import numpy as np

from mmhot.video.smoothing import SMOOTHERS, smooth_clip

# Frames by which smoothed motion is compared with true motion of before and after.
_EARLIEST, _LATEST = -4, 16


def lag(moved: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """How late motion is, in seconds.

    Args:
        moved (np.ndarray): Smoothed points, (T, ...).
        truth (np.ndarray): True ones, (T, ...).
        fps (float): Frames per second.

    Returns:
        float: The delay of the truth that lies nearest, between frames by a parabola.
    """
    shifts = np.arange(_EARLIEST, _LATEST + 1)
    inner = slice(_LATEST, len(truth) + _EARLIEST)
    if inner.stop <= inner.start:
        raise ValueError(f'{len(truth)} frames are too few to tell the delay of')
    misses = np.array(
        [
            np.square(moved[inner] - truth[inner.start - s : inner.stop - s]).mean()
            for s in shifts
        ]
    )
    best = misses.argmin().clip(1, len(shifts) - 2)
    before, at, after = misses[best - 1 : best + 2]
    curve = before - 2 * at + after
    between = 0.5 * (before - after) / curve if curve > 0 else 0.0
    return (shifts[best] + between) / fps


def measure_smoothers(
    motions: Iterable[tuple[np.ndarray, np.ndarray]], fps: float, in_meters: bool
) -> dict[str, dict[str, float]]:
    """Smooth motions by every method.

    Args:
        motions (Iterable): Seen and true points of each, (T, K, C).
        fps (float): Frames per second.
        in_meters (bool): Whether they are meters, not pixels.

    Returns:
        dict[str, dict[str, float]]: By method, and ``'none'``: ``error`` (mean
        distance) and ``jitter`` (mean size of accelerations, a second squared) in
        their unit, ``lag`` in milliseconds; means over frames. ``'truth'`` has its
        jitter.
    """
    rows: dict[str, list[tuple]] = {}
    weights = []
    for seen, truth in motions:
        weights.append(len(seen))
        rows.setdefault('truth', []).append((0.0, _jitter(truth, fps), 0.0))
        for name in ('none', *SMOOTHERS):
            made = smooth_clip(seen, fps, name, in_meters=in_meters)
            error = np.linalg.norm(made - truth, axis=-1).mean()
            late = 1000 * lag(made, truth, fps)
            rows.setdefault(name, []).append((error, _jitter(made, fps), late))
    return {
        name: dict(
            zip(
                ('error', 'jitter', 'lag'),
                np.average(values, axis=0, weights=weights).tolist(),
                strict=True,
            )
        )
        for name, values in rows.items()
    }


def _jitter(points: np.ndarray, fps: float) -> float:
    change = np.diff(points, 2, axis=0) * fps**2
    return float(np.linalg.norm(change, axis=-1).mean())
