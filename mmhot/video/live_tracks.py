"""Tracks of a stream: the last keypoints and the root position of each person."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from mmhot.lifting.clip_encoder import fill_joints
from mmhot.lifting.placement import place_roots
from mmhot.motion.contacts import FPS, predict_contacts
from mmhot.motion.live_foot_lock import LiveFootLock
from mmhot.structures.windows import resample
from mmhot.video.smoothing import METERS_BETA, OneEuro

# Seconds of poses from which the position of the last root is estimated.
_PLACEMENT_SPAN = 0.5
# Seconds before a frame that show whether ankles stand in it.
_CONTACT_SPAN = 1.3
# Weight of keypoints that were filled in, which may be all there are.
_MIN_WEIGHT = 0.05


@dataclass
class Observation:
    """One person in one frame.

    Attributes:
        time (float): Seconds.
        keypoints (np.ndarray): Human3.6M-17 pixels, NaN if missing, (17, 2).
        scores (np.ndarray): Confidence, 0 if missing, (17,).
        segment (int): Long interruptions of the track before.
    """

    time: float
    keypoints: np.ndarray
    scores: np.ndarray
    segment: int


class LiveTrack:
    """Store the last observations of one person.

    Args:
        max_gap (float): Seconds of occlusion after which a new segment begins.
        smooth_2d (bool): Whether to smooth keypoints.
        smooth_3d (bool): Whether to smooth poses.
        foot_lock (bool): Whether to keep standing feet in place. Defaults to False.
    """

    def __init__(
        self, max_gap: float, smooth_2d: bool, smooth_3d: bool, foot_lock: bool = False
    ) -> None:
        self.max_gap = max_gap
        self.smooth_2d = smooth_2d
        self.smooth_3d = smooth_3d
        self.foot_lock = foot_lock
        self.observations: deque[Observation] = deque()
        self.last_seen: float | None = None
        self._segment = 0
        self._interrupted = False
        self._smoother: OneEuro | None = None
        self._placement = _RootPlacement(0, smooth_3d, foot_lock)

    def add(self, time: float, keypoints: np.ndarray, scores: np.ndarray) -> None:
        """Append keypoints (17, 2), NaN if missing, and scores (17,) at a time."""
        lost = self.last_seen is not None and time - self.last_seen > self.max_gap
        if lost or self._interrupted:
            self._segment += 1
            self._interrupted, self._smoother = False, None
        self.last_seen = time
        if self.smooth_2d:
            self._smoother = self._smoother or OneEuro()
            keypoints = self._smoother(keypoints, time).astype(np.float32)
        scores = np.where(np.isfinite(keypoints).all(-1), scores, 0)
        self.observations.append(Observation(time, keypoints, scores, self._segment))

    def interrupt(self) -> None:
        """Begin a new segment with the next observation."""
        self._interrupted = True

    def drop_before(self, time: float) -> None:
        """Drop the observations before a time in seconds."""
        while self.observations and self.observations[0].time < time:
            self.observations.popleft()

    def segment_at(self, time: float) -> list[Observation]:
        """Return the observations of the segment that contains a time, in order.

        None are returned where there is no segment or it has no keypoint.
        """
        before = after = None
        for seen in self.observations:
            before = seen if seen.time <= time else before
            after = seen if after is None and seen.time >= time else after
        if before is None or after is None or before.segment != after.segment:
            return []
        segment = [x for x in self.observations if x.segment == before.segment]
        known = any(np.isfinite(x.keypoints).all(-1).any() for x in segment)
        return segment if known else []

    def place(
        self, seen: Observation, pose: np.ndarray, focal: np.ndarray, center: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Estimate the root position of the next pose; smooth both if wanted.

        Args:
            seen (Observation): The keypoints that were lifted.
            pose (np.ndarray): Meters around the root, camera axes, (17, 3).
            focal (np.ndarray): Focal lengths in pixels, (2,).
            center (np.ndarray): Principal point in pixels, (2,).

        Returns:
            tuple: Pose (17, 3), root (3,) in meters, and whether a new segment begins.
        """
        is_new = seen.segment != self._placement.segment
        if is_new:
            self._placement = _RootPlacement(
                seen.segment, self.smooth_3d, self.foot_lock
            )
        pose, root = self._placement.add(seen, pose, focal, center)
        lock = self._placement.foot_lock
        if lock is not None:
            pose, root = lock(pose, root, self._contacts_at(seen), seen.time)
        return pose, root, is_new

    def _contacts_at(self, seen: Observation) -> np.ndarray:
        """Predict which ankles stand (2,), from all frames that have arrived."""
        segment = [x for x in self.observations if x.segment == seen.segment]
        first = max(segment[0].time, seen.time - _CONTACT_SPAN)
        times = np.arange(first, max(segment[-1].time, seen.time) + 1e-6, 1 / FPS)
        keypoints = resample_segment(segment, times)
        stands = predict_contacts(keypoints[..., :2], keypoints[..., 2], times)
        return np.array([np.interp(seen.time, times, side) for side in stands.T])


class _RootPlacement:
    """Estimate root positions from the last poses of one segment."""

    def __init__(self, segment: int, smooth: bool, foot_lock: bool) -> None:
        self.segment = segment
        self.foot_lock = LiveFootLock() if foot_lock else None
        self._recent: deque[tuple[Observation, np.ndarray]] = deque()
        self._smoother = OneEuro(beta=METERS_BETA) if smooth else None

    def add(
        self, seen: Observation, pose: np.ndarray, focal: np.ndarray, center: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self._recent.append((seen, pose))
        while seen.time - self._recent[0][0].time > _PLACEMENT_SPAN:
            self._recent.popleft()
        recent, poses = zip(*self._recent, strict=True)
        root = place_roots(
            np.stack(poses),
            np.stack([each.keypoints for each in recent]),
            np.maximum(np.stack([each.scores for each in recent]), _MIN_WEIGHT),
            focal,
            center,
            np.array([each.time for each in recent]),
        )[-1]
        if self._smoother is not None:
            smooth = self._smoother(np.vstack([pose, root]), seen.time)
            pose, root = smooth[:-1], smooth[-1]
        return pose.astype(np.float32), root.astype(np.float32)


def resample_segment(segment: list[Observation], times: np.ndarray) -> np.ndarray:
    """Resample keypoints and scores at times (T,), missing joints filled in.

    Returns:
        np.ndarray: Finite pixels and confidence, (T, 17, 3) float32; the first or last
        observation is repeated outside the segment.
    """
    keypoints = fill_joints(np.stack([seen.keypoints for seen in segment]))
    scores = np.stack([seen.scores for seen in segment]).astype(np.float32)
    own = np.array([seen.time for seen in segment])
    # digits that are only rounding would mix neighboring frames
    rows = np.interp(times, own, np.arange(len(own))).round(6)
    return resample(np.concatenate([keypoints, scores[..., None]], -1), rows)
