"""Foot lock of streams: standing feet stay in place, from past frames only.

Where :func:`mmhot.motion.foot_lock.lock_feet` optimizes a whole clip, each frame here
is corrected once, when it is lifted: the lock adds no latency.
"""

import numpy as np

from mmhot.motion.contacts import ANKLES
from mmhot.motion.foot_lock import LEGS, bend_knee

# Probabilities from which an ankle stands, and below which it no longer does.
_BEGINS, _ENDS = 0.6, 0.4
# Seconds in which the root follows standing feet across and along the line of sight,
# where it is least exact, in which its correction fades without
# them, in which ankles return to where they were lifted, and in which a standing ankle
# drifts to where it is lifted.
_FOLLOW, _FADE, _RETURN, _DRIFT = (0.3, 0.05), 0.5, 0.15, 2.0
# Seconds over which lengths of legs are averaged.
_LENGTHS = 2.0
# An ankle that is lifted farther than this from its place, in meters, across and along
# the line of sight, moves.
_FARTHEST = 0.12, 0.6


class LiveFootLock:
    """Keep the standing feet of one person of a static camera in place."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._shift = np.zeros(3)
        self._offsets = np.zeros((2, 3))
        self._anchors: list[np.ndarray | None] = [None, None]
        self._lengths: np.ndarray | None = None

    def __call__(
        self, pose: np.ndarray, root: np.ndarray, stands: np.ndarray, time: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Correct pose and root position of the next frame.

        Args:
            pose (np.ndarray): Root-relative joints in camera axes, meters, (17, 3).
            root (np.ndarray): Root position, meters, (3,); NaN if unknown.
            stands (np.ndarray): Probability that the right and left ankle stand, (2,).
            time (float): Seconds.
        """
        if not np.isfinite(root).all():
            return pose, root
        step = 0.0 if self._time is None else time - self._time
        self._time = time
        ankles = root + pose[ANKLES].astype(np.float64)
        self._hold(ankles, stands, step)
        pairs = zip(self._anchors, ankles, strict=True)
        held = [anchor - ankle for anchor, ankle in pairs if anchor is not None]
        if held:
            missing = _split(np.mean(held, axis=0) - self._shift, root)
            shares = 1 - np.exp(-step / np.array(_FOLLOW))
            self._shift += shares @ missing
        else:
            self._shift *= np.exp(-step / _FADE)
        for side, anchor in enumerate(self._anchors):
            if anchor is None:
                self._offsets[side] *= np.exp(-step / _RETURN)
            else:
                self._offsets[side] = anchor - ankles[side] - self._shift
        new = self._bent(pose.astype(np.float64), step)
        return new.astype(np.float32), (root + self._shift).astype(np.float32)

    def _hold(self, ankles: np.ndarray, stands: np.ndarray, step: float) -> None:
        """Update the places of standing ankles."""
        lifted = ankles + self._shift
        for side, anchor in enumerate(self._anchors):
            if anchor is None:
                if stands[side] > _BEGINS:  # where it is shown now
                    self._anchors[side] = lifted[side] + self._offsets[side]
                continue
            away = lifted[side] - anchor
            far = np.linalg.norm(_split(away, anchor), axis=-1) / _FARTHEST
            if stands[side] < _ENDS or np.linalg.norm(far) > 1:
                self._anchors[side] = None
            else:
                self._anchors[side] = anchor + away * (1 - np.exp(-step / _DRIFT))

    def _bent(self, pose: np.ndarray, step: float) -> np.ndarray:
        """Return the pose with moved ankles and knees that fit."""
        bones = np.linalg.norm(np.diff(pose[np.array(LEGS)], axis=1), axis=-1)
        if self._lengths is None:
            self._lengths = bones
        self._lengths += (bones - self._lengths) * (1 - np.exp(-step / _LENGTHS))
        new = pose[None].copy()
        new[:, ANKLES] += self._offsets
        for side, leg in enumerate(LEGS):
            # legs that nothing has moved stay as lifted
            share = min(np.linalg.norm(self._offsets[side]) / 0.01, 1)
            lengths = share * self._lengths[side] + (1 - share) * bones[side]
            if share > 1e-3:
                bend_knee(new, pose[None], leg, lengths)
        return new[0]


def _split(vector: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Split a vector (3,) into parts across and along the line of sight, (2, 3)."""
    sight = place / np.linalg.norm(place).clip(1e-9)
    along = (vector @ sight) * sight
    return np.stack([vector - along, along])
