"""What is known of the last seconds of the people of a stream."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from mmhot.lifting.gaps import fill_joints
from mmhot.lifting.placement import place_roots
from mmhot.video.smoothing import METERS_BETA, OneEuro
from mmhot.windows import resample

# Seconds of somebody's poses that settle where the last of them is.
_PLACED_BY = 0.5


@dataclass
class Sight:
    """One person in one frame.

    Attributes:
        time (float): Seconds.
        keypoints (np.ndarray): Human3.6M-17 pixels, NaN where not seen, (17, 2).
        scores (np.ndarray): Confidence, 0 where not seen, (17,).
        piece (int): How often this person was lost for long before.
    """

    time: float
    keypoints: np.ndarray
    scores: np.ndarray
    piece: int


class Trail:
    """Where one person was in the last seconds.

    Args:
        max_gap (float): Seconds out of sight after which what comes does not belong
            to what was.
        smooth_2d (bool): Whether to smooth keypoints as they come.
        smooth_3d (bool): Whether to smooth poses as they are made.
    """

    def __init__(self, max_gap: float, smooth_2d: bool, smooth_3d: bool) -> None:
        self.max_gap = max_gap
        self.smooth_2d = smooth_2d
        self.smooth_3d = smooth_3d
        self.sights: deque[Sight] = deque()
        self.last_seen: float | None = None
        self._piece = 0
        self._broken = False
        self._smoother: OneEuro | None = None
        self._path = Path3D(0, smooth_3d)

    def add(self, time: float, keypoints: np.ndarray, scores: np.ndarray) -> None:
        """Take what was found in a frame, later than those before.

        Args:
            time (float): Seconds.
            keypoints (np.ndarray): Human3.6M-17 pixels, NaN where not seen, (17, 2).
            scores (np.ndarray): Confidence, (17,).
        """
        lost = self.last_seen is not None and time - self.last_seen > self.max_gap
        if lost or self._broken:
            self._piece += 1
            self._broken, self._smoother = False, None
        self.last_seen = time
        if self.smooth_2d:
            self._smoother = self._smoother or OneEuro()
            keypoints = self._smoother(keypoints, time).astype(np.float32)
        scores = np.where(np.isfinite(keypoints).all(-1), scores, 0)
        self.sights.append(Sight(time, keypoints, scores, self._piece))

    def break_off(self) -> None:
        """Let what comes next not belong to what was."""
        self._broken = True

    def forget(self, before: float) -> None:
        """Drop what was seen before a time, in seconds."""
        while self.sights and self.sights[0].time < before:
            self.sights.popleft()

    def around(self, time: float) -> list[Sight]:
        """Sights that belong together, from before and after a time or right then.

        Returns:
            list[Sight]: In order; none if the person was not there at that time, or
            no joint was seen all the while.
        """
        before = after = None
        for sight in self.sights:
            before = sight if sight.time <= time else before
            after = sight if after is None and sight.time >= time else after
        if before is None or after is None or before.piece != after.piece:
            return []
        together = [sight for sight in self.sights if sight.piece == before.piece]
        seen = any(np.isfinite(sight.keypoints).all(-1).any() for sight in together)
        return together if seen else []

    def place(
        self, sight: Sight, pose: np.ndarray, focal: np.ndarray, center: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Say where a pose is, and smooth it if wanted; in order of time.

        Args:
            sight (Sight): What was lifted.
            pose (np.ndarray): Metres around the root, camera axes, (17, 3).
            focal (np.ndarray): Focal lengths in pixels, (2,).
            center (np.ndarray): Principal point in pixels, (2,).

        Returns:
            tuple[np.ndarray, np.ndarray, bool]: The pose (17, 3), the root's place in
            meters (3,), and whether this person was lost between the last pose and
            this one.
        """
        broken = sight.piece != self._path.piece
        if broken:
            self._path = Path3D(sight.piece, self.smooth_3d)
        pose, root = self._path.add(sight, pose, focal, center)
        return pose, root, broken


class Path3D:
    """The last poses of one person, without breaks.

    Args:
        piece (int): Which piece of their trail.
        smooth (bool): Whether to smooth.
    """

    def __init__(self, piece: int, smooth: bool) -> None:
        self.piece = piece
        self._recent: deque[tuple[Sight, np.ndarray]] = deque()
        self._smoother = OneEuro(beta=METERS_BETA) if smooth else None

    def add(
        self, sight: Sight, pose: np.ndarray, focal: np.ndarray, center: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose (17, 3) and its root's place (3,); see :meth:`Trail.place`."""
        self._recent.append((sight, pose))
        while sight.time - self._recent[0][0].time > _PLACED_BY:
            self._recent.popleft()
        sights, poses = zip(*self._recent, strict=True)
        root = place_roots(
            np.stack(poses),
            np.stack([each.keypoints for each in sights]),
            # guessed joints weigh little, but may be all that there is
            np.maximum(np.stack([each.scores for each in sights]), 0.05),
            focal,
            center,
            np.array([each.time for each in sights]),
        )[-1]
        if self._smoother is not None:
            pose, root = np.split(
                self._smoother(np.vstack([pose, root]), sight.time), [len(pose)]
            )
            root = root[0]
        return pose.astype(np.float32), root.astype(np.float32)


def sample(sights: list[Sight], times: np.ndarray) -> np.ndarray:
    """Keypoints and scores at certain times, what is missing filled in.

    Args:
        sights (list[Sight]): In order.
        times (np.ndarray): Seconds, (T,); those outside repeat the first or last
            sight.

    Returns:
        np.ndarray: Finite pixels and confidence, (T, 17, 3) float32.
    """
    keypoints = fill_joints(np.stack([sight.keypoints for sight in sights]))
    scores = np.stack([sight.scores for sight in sights]).astype(np.float32)
    own = np.array([sight.time for sight in sights])
    # digits that are only rounding would mix neighboring frames
    wanted = np.interp(times, own, np.arange(len(own))).round(6)
    return resample(np.concatenate([keypoints, scores[..., None]], -1), wanted)
