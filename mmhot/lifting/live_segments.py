"""Keypoints and root positions of one person of a stream, between interruptions."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from mmhot.geometry.windows import resample
from mmhot.lifting.gaps import fill_joints
from mmhot.lifting.placement import place_roots


@dataclass(frozen=True)
class LiveSettings:
    """Look-ahead, occlusions and tracking of a stream."""

    lookahead: int = 4  # later frames to wait for, if the lifter uses as many
    max_occlusion: float = 2.0  # for which observations of a person stay, seconds
    max_gap: float = 1.0  # longest occlusion that is filled in, seconds
    placement_span: float = 0.5  # poses that place the last root, seconds
    min_weight: float = 0.05  # of keypoints filled in, which may be all there are


@dataclass
class Observation:
    """Pixels (17, 2) and scores (17,) of Human3.6M-17; NaN and 0 if missing."""

    time: float
    keypoints: np.ndarray
    scores: np.ndarray


@dataclass(eq=False)
class LiveSegment:
    """Store the last observations of one person, and place the root of its poses."""

    track: int
    broken: bool  # whether it was seen before an interruption; False after a pose
    settings: LiveSettings = LiveSettings()
    last_seen: float = -np.inf  # time of the last observation
    interrupted: bool = False  # whether further observations are of another segment

    def __post_init__(self) -> None:
        """Start without observations."""
        self.observations: deque[Observation] = deque()
        self._recent: deque[tuple[Observation, np.ndarray]] = deque()

    def add(self, time: float, keypoints: np.ndarray, scores: np.ndarray) -> None:
        """Append keypoints (17, 2), NaN if missing, and scores (17,) at a time."""
        self.last_seen = time
        scores = np.where(np.isfinite(keypoints).all(-1), scores, 0)
        self.observations.append(Observation(time, keypoints, scores))

    def drop_before(self, time: float) -> None:
        """Drop the observations before a time in seconds."""
        while self.observations and self.observations[0].time < time:
            self.observations.popleft()

    def contains(self, time: float) -> bool:
        """Return whether the person is visible around a time, with a keypoint."""
        seen = self.observations
        if not seen or not seen[0].time <= time <= seen[-1].time:
            return False
        return any(np.isfinite(each.keypoints).all(-1).any() for each in seen)

    def scores_at(self, time: float) -> np.ndarray:
        """Return the confidence (17,) at a time, 0 in frames without an observation."""
        own = [seen.scores for seen in self.observations if seen.time == time]
        return own[0] if own else np.zeros_like(self.observations[0].scores)

    def resample(self, times: np.ndarray) -> np.ndarray:
        """Resample keypoints and scores at times (T,), missing joints filled in.

        Returns:
            np.ndarray: Finite pixels, confidence, and how far joints are known, 0 to 1,
            (T, 17, 4) float32; the first or last observation is repeated outside the
            segment.
        """
        seen = self.observations
        seconds = np.array([each.time for each in seen])
        keypoints = np.stack([each.keypoints for each in seen])
        filled, known = fill_joints(keypoints, seconds=seconds)
        scores = np.stack([each.scores for each in seen]).astype(np.float32)
        scores[(filled != keypoints).any(-1)] = 0
        # digits that are only rounding would mix neighboring frames
        rows = np.interp(times, seconds, np.arange(len(seconds))).round(6)
        columns = np.stack([scores, known], axis=-1)
        return resample(np.concatenate([filled, columns], axis=-1), rows)

    def place(
        self, seen: Observation, pose: np.ndarray, focal: np.ndarray, center: np.ndarray
    ) -> np.ndarray:
        """Estimate the root position (3,) of the next pose (17, 3).

        ``seen`` is what was lifted, ``focal`` (2,) and ``center`` (2,) are pixels.
        """
        self._recent.append((seen, pose))
        while seen.time - self._recent[0][0].time > self.settings.placement_span:
            self._recent.popleft()
        recent, poses = zip(*self._recent, strict=True)
        scores = np.stack([observation.scores for observation in recent])
        return place_roots(
            np.stack(poses),
            np.stack([observation.keypoints for observation in recent]),
            np.maximum(scores, self.settings.min_weight),
            focal,
            center,
            np.array([observation.time for observation in recent]),
        )[-1]
