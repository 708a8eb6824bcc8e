"""Rig of one person in a stream, fitted frame after frame."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmhot.io.writers.rigid_skeleton import (
    FEET,
    MAX_YAW,
    MIN_STEP,
    YAW_CHANGE,
    YAW_ERROR,
    RigidMotion,
    Turner,
    fit_rig,
    place_bones,
    rest_offsets,
)
from mmhot.io.writers.rigs import HUMAN_IK, Rig

_MOST_UNFITTED = 250  # frames; earlier frames hardly change the direction of feet
_UNKNOWN = 1e6  # variance of a direction that was never seen


class RunningMean:
    """Running mean of measurements, numbers or arrays (...), that never jumps.

    At first it is the mean of all frames, then of a few frames a second over about the
    last ten seconds.

    >>> mean = RunningMean()
    >>> [float(mean(lambda: size, time=size / 30)) for size in (1.0, 2.0, 6.0)]
    [1.0, 1.5, 3.0]
    """

    _first = 25  # frames at the start that are all measured
    _pause = 0.2  # seconds between two measurements after that
    _longest = 1.0  # seconds that a measurement stands for at most, after a gap
    _memory = 10.0  # seconds of the mean; higher follows changes more slowly

    def __init__(self) -> None:
        self._mean = np.zeros(())
        self._count = 0
        self._time = 0.0  # seconds; time of the last measurement

    def __call__(
        self, measure: Callable[[], np.ndarray | float], time: float
    ) -> np.ndarray:
        """Return the mean (...), after measuring if a measurement is due."""
        step = time - self._time
        if self._count < self._first or step >= self._pause:
            self._time = time
            self._count += 1
            share = max(1 / self._count, min(step, self._longest) / self._memory)
            self._mean = self._mean + share * (measure() - self._mean)
        return self._mean


class LiveRig:
    """Fit the humanoid of all rigs to one person, frame after frame.

    Example::

        rig = LiveRig()
        for time, joints in poses:
            rest = rig.learn(joints, time)
            motion = rig.fit(joints, time, rest)
            bones = rig.place(motion, BVH_PROFILES['lafan1'])
    """

    def __init__(self) -> None:
        self._rest = RunningMean()
        # Times and joints of the latest frames since the last fit
        self._unfitted: list[tuple[float, np.ndarray]] = []
        # Quaternions of the last frame, by rig and bone
        self._before: dict[tuple[Rig, str], np.ndarray] = {}
        self._feet = _FootFilter()

    def learn(self, joints: np.ndarray, time: float) -> np.ndarray:
        """Update the bone lengths with the next frame.

        Call this method for every frame, also for frames that are not fitted, so that
        motions do not depend on which frames are fitted.

        Args:
            joints (np.ndarray): Human3.6M's joints in meters, z up from the floor,
                (17, 3).
            time (float): Time of the frame in seconds.

        Returns:
            np.ndarray: Offsets of the rest pose in meters, (K, 3).
        """
        self._unfitted = [*self._unfitted[1 - _MOST_UNFITTED :], (time, joints)]
        return self._rest(lambda: _even_offsets(joints[None]), time)

    def fit(self, joints: np.ndarray, time: float, rest: np.ndarray) -> RigidMotion:
        """Fit a frame that was passed to :meth:`learn`.

        Args:
            joints (np.ndarray): The same joints, (17, 3).
            time (float): Time of the frame in seconds.
            rest (np.ndarray): Result of :meth:`learn`, (K, 3).

        Returns:
            RigidMotion: Motion of one frame.
        """
        earlier = [pose for moment, pose in self._unfitted if moment < time]
        self._unfitted = [x for x in self._unfitted if x[0] > time]
        poses = np.stack([*earlier, joints])
        motion = fit_rig(poses, HUMAN_IK, rest=rest, hold=self._feet.hold)
        return replace(motion, root=motion.root[-1:], rotations=motion.rotations[-1:])

    def place(
        self, motion: RigidMotion, rig: Rig
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return where the bones of a rig are in one frame.

        Args:
            motion (RigidMotion): Result of :meth:`fit`.
            rig (Rig): Names and rest axes of the bones.

        Returns:
            dict: Position (3,) and quaternion (4,) by bone, see :func:`place_bones`,
            without jumps of sign between calls.
        """
        bones = {}
        for name, ((place,), (turn,)) in place_bones(motion, rig).items():
            before = self._before.get((rig, name), turn)
            self._before[rig, name] = -turn if turn @ before < 0 else turn
            bones[name] = place, self._before[rig, name]
        return bones


class _FootFilter:
    """Kalman filter of the directions in which two feet point.

    It replaces the smoothing of :func:`fit_rig`, which needs the whole motion. The
    uncertainty of a direction grows with the path of the ankle, so that a resting foot
    keeps its direction.
    """

    def __init__(self) -> None:
        self._yaw = np.zeros(2)  # radians
        self._variance = np.full(2, _UNKNOWN)  # variance of these directions
        self._ankles = np.zeros((2, 3))  # meters

    def hold(self, turner: Turner) -> None:
        """Turn the feet of the next T frames to their filtered directions."""
        directions = turner.axes[:, FEET][..., 2]
        ankles = turner.positions[:, FEET]
        turner.turn_feet(np.array([*map(self._correction, directions, ankles)]))

    def _correction(self, direction: np.ndarray, ankles: np.ndarray) -> np.ndarray:
        """Update the filter by a frame; return the turns of the feet, radians (2,).

        Both arguments are (2, 3): the directions of the feet, and the ankles in meters.
        """
        x, y, _ = direction.T
        seen = np.arctan2(y, x)
        path = np.linalg.norm(ankles - self._ankles, axis=-1)
        variance = self._variance + (YAW_CHANGE * np.maximum(path, MIN_STEP)) ** 2
        share = 1 / (1 + YAW_ERROR**2 / (x**2 + y**2 + 1e-6) / variance)
        # Remaining angle to the filtered direction, from -pi to pi
        turn = (1 - share) * ((self._yaw - seen + np.pi) % (2 * np.pi) - np.pi)
        turn = turn.clip(-MAX_YAW, MAX_YAW)
        self._yaw = seen + turn
        self._variance = (1 - share) * variance
        self._ankles = ankles
        return turn


def _even_offsets(joints: np.ndarray) -> np.ndarray:
    """Compute the rest pose (K, 3) of the humanoid, with both sides equally long.

    ``joints`` (T, 17, 3) are Human3.6M's in meters.
    """
    skeleton = HUMAN_IK.skeleton
    offsets = rest_offsets(HUMAN_IK.places @ joints, skeleton)
    lengths = np.linalg.norm(offsets, axis=-1).clip(1e-9)
    even = (lengths + lengths[skeleton.flip_indices]) / 2
    return offsets * (even / lengths)[:, None]
