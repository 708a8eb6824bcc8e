"""3D poses of a stream with a fixed look-ahead.

Lifters use frames after the one they lift. A stream waits for some of these, its
look-ahead, and repeats the newest frame instead of the others. ``docs/streaming.md``
compares look-aheads.
"""

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple

import numpy as np

from mmhot.chain.frames.sources import Frame
from mmhot.chain.lifting.gaps import fill_joints, hang_legs
from mmhot.chain.lifting.lift import LiftingStep, check_liftable
from mmhot.chain.lifting.lifted import Lifted
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.lifting.placement import ROOT_ERRORS, place_roots
from mmhot.errors import ArgumentError
from mmhot.geometry.windows import resample
from mmhot.options import Option
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import camera_intrinsics, ideal_camera
from mmhot.weights.index import LIVE_LIFTER


@dataclass(frozen=True)
class LiveSettings:
    """Look-ahead, occlusions and placement of a stream."""

    # Ranges are those of four streams of CMU's motions, two with gaps of .2 and 1.3 s.
    # Later frames to wait for, if the lifter uses as many. Poses are 3 % worse without
    # any, and 2 % better with two.
    lookahead: int = 1
    # Seconds without being seen after which a person counts as new. 0.5 to 10 of it are
    # equal there.
    max_occlusion: float = 2.0
    # Seconds; a longer occlusion is not filled in. Half of it is equal there; with
    # double poses of the longer gap are filled in, and all are .6 % worse.
    max_gap: float = 1.0
    # Seconds of poses that place the last root. Half of it has 39 % more jitter, 2 to
    # 10 of it have 7 % less.
    placement_span: float = 0.5


_SETTINGS = LiveSettings()


@dataclass(frozen=True, kw_only=True)
class LiftStream(LiftingStep):
    """Lift the people of a stream, some frames behind it, by :class:`FrameLifter`."""

    default = LIVE_LIFTER

    lookahead: Annotated[
        int | None,
        'delay of the poses in frames; more is more accurate (default: 1)',
        Option(metavar='FRAMES'),
    ] = None

    def start(self, lifter: Lifter, fps: float) -> 'FrameLifter':
        """Return a lifter of the frames of a stream with a mean rate of ``fps``."""
        return FrameLifter(lifter, fps, self.lookahead)


@dataclass(frozen=True)
class LiftedFrame:
    """A frame of a stream, and the people in it."""

    frame: Frame
    lifted: Lifted  # keypoints of the frame, and the people who are back
    poses: Clip3D | None = None  # clip of this one frame; None without people


class _Observation(NamedTuple):
    """Keypoints of one person in a frame."""

    time: float  # seconds
    pixels: np.ndarray  # NaN where missing, (17, 2)
    scores: np.ndarray  # 0 where missing, (17,)


class _Placed(NamedTuple):
    """A lifted pose, and the keypoints that place its root."""

    time: float  # seconds
    pixels: np.ndarray  # undistorted, (17, 2)
    scores: np.ndarray  # (17,)
    pose: np.ndarray  # root-relative, camera axes, meters, (17, 3)


@dataclass(eq=False)
class _Segment:
    """Observations of one person between interruptions."""

    track: int
    # Whether the person is back after an interruption, and has had no pose since
    broken: bool
    last_seen: float = -np.inf  # seconds; time of the last observation
    interrupted: bool = False  # whether later observations start another segment
    seen: deque[_Observation] = field(default_factory=deque)
    # Poses of the last half second, which place the root of the next one
    lifted: deque[_Placed] = field(default_factory=deque)

    def contains(self, time: float) -> bool:
        """Return whether a time is between observations, and any has a keypoint."""
        if not self.seen or not self.seen[0].time <= time <= self.seen[-1].time:
            return False
        return any(np.isfinite(x.pixels).all(-1).any() for x in self.seen)

    def scores_at(self, time: float) -> np.ndarray:
        """Return the scores (17,) observed at a time, or 0 without an observation."""
        observed = (x.scores for x in self.seen if x.time == time)
        return next(observed, np.zeros(17))

    def resample(self, times: np.ndarray) -> np.ndarray:
        """Resample observations at times (T,), and fill in missing joints.

        Returns (T, 17, 4) float32: x, y, confidence, and how well the joint is known.
        Outside the segment, the first or last observation is repeated.
        """
        seconds, pixels, scores = map(np.array, zip(*self.seen, strict=True))
        filled, shares = fill_joints(pixels, seconds=seconds)
        scores = scores.astype(np.float32)
        scores[(filled != pixels).any(-1)] = 0
        # Rounding errors would mix neighboring frames.
        rows = np.interp(times, seconds, np.arange(len(seconds))).round(6)
        columns = np.stack([scores, shares], axis=-1)
        return resample(np.concatenate([filled, columns], axis=-1), rows)

    def place(
        self, placed: _Placed, focal: np.ndarray, center: np.ndarray
    ) -> np.ndarray:
        """Estimate the root position of the next pose from the poses before it.

        Args:
            placed (_Placed): The pose and its keypoints.
            focal (np.ndarray): Focal lengths, pixels, (2,).
            center (np.ndarray): Principal point, pixels, (2,).

        Returns:
            np.ndarray: Root position in camera axes, meters, (3,).
        """
        self.lifted.append(placed)
        while placed.time - self.lifted[0].time > _SETTINGS.placement_span:
            self.lifted.popleft()
        times, pixels, scores, poses = map(np.array, zip(*self.lifted, strict=True))
        scores = np.maximum(scores, ROOT_ERRORS.min_weight)
        return place_roots(poses, pixels, scores, focal, center, times)[-1]


class FrameLifter:
    """Lift the people of a stream frame by frame, in bounded memory.

    Args:
        lifter (Lifter): Lifts windows.
        fps (float): Approximate frames per second. Poses depend on the frames' times.
        lookahead (int, optional): Later frames to wait for. By default 1, or none
            if the lifter uses none.

    Attributes:
        latency (float): The look-ahead in seconds, without the time of the models.
    """

    def __init__(
        self, lifter: Lifter, fps: float, lookahead: int | None = None
    ) -> None:
        self.lifter = lifter
        self.fps = fps
        self._first_target = (lifter.seq_len - lifter.num_targets) // 2
        middle = self._first_target + lifter.num_targets // 2
        seconds_after = (lifter.seq_len - 1 - middle) / lifter.fps
        max_lookahead = math.ceil(round(seconds_after * fps, 6))
        if lookahead is None:
            lookahead = min(_SETTINGS.lookahead, max_lookahead)
        if not 0 <= lookahead <= max_lookahead:
            raise ArgumentError(
                '{lookahead} must be from 0 to %s, the later frames that %s uses at %g '
                'frames/s, got %s',
                max_lookahead,
                lifter.name,
                fps,
                lookahead,
            )
        self.lookahead = lookahead
        self.latency = lookahead / fps
        # Lifters with few targets are best at the middle one, even if all frames after
        # it repeat the newest one. Those that lift their whole window do with fewer
        # later frames, and use more of the past instead.
        self._target = middle
        if lifter.is_seq2seq:
            frames_after = round(self.latency * lifter.fps)
            self._target = max(middle, lifter.seq_len - 1 - frames_after)
        self._offsets = (np.arange(lifter.seq_len) - self._target) / lifter.fps
        self._segments: list[_Segment] = []
        self._pending: deque[tuple[Frame, Clip2D]] = deque()

    def update(
        self, frame: Frame, clip: Clip2D, interrupted: bool = False
    ) -> list[LiftedFrame]:
        """Add the next frame, and lift earlier frames that waited for it.

        Args:
            frame (Frame): The frame.
            clip (Clip2D): Its people, a clip of one frame.
            interrupted (bool): Whether frames were lost before this one.

        Returns:
            list[LiftedFrame]: Usually one frame, none at first, and several after
            missing frames.
        """
        if interrupted:
            for segment in self._segments:
                segment.interrupted = True
        check_liftable(clip, self.lifter.skeleton)
        self._observe(clip, frame.time)
        self._pending.append((frame, clip))
        lifted = []
        # A frame waits for the look-ahead, but half a frame less: timestamps jitter.
        due = frame.time - self.latency + 0.5 / self.fps
        while self._pending and self._pending[0][0].time <= due:
            lifted.append(self._lift(*self._pending.popleft()))
        self._drop_old(frame.time)
        return lifted

    def flush(self) -> list[LiftedFrame]:
        """Lift the pending frames, as at the end of the stream."""
        lifted = [self._lift(*pending) for pending in self._pending]
        self._pending.clear()
        return lifted

    def _observe(self, clip: Clip2D, time: float) -> None:
        """Append the keypoints of a frame to the segments of their people."""
        for track in clip.tracks:
            (pixels,), (scores,) = self.lifter.convert(track, clip.skeleton)
            before = [x for x in self._segments if x.track == track.track]
            segment = before[-1] if before else _Segment(track.track, broken=False)
            is_lost = time - segment.last_seen > _SETTINGS.max_gap
            if not before or is_lost or segment.interrupted:
                segment = _Segment(track.track, broken=bool(before))
                self._segments.append(segment)
            segment.last_seen = time
            scores = np.where(np.isfinite(pixels).all(-1), scores, 0)
            segment.seen.append(_Observation(time, pixels, scores))

    def _lift(self, frame: Frame, clip: Clip2D) -> LiftedFrame:
        """Lift the people of a frame."""
        known = Lifted(clip, self.lifter.mapping, self.lifter.network.weights)
        segments = [x for x in self._segments if x.contains(frame.time)]
        if not segments:
            return LiftedFrame(frame, known)
        segments.sort(key=lambda segment: segment.track)
        poses = self._lift_segments(frame, clip, segments)
        returned = frozenset(segment.track for segment in segments if segment.broken)
        for segment in segments:
            segment.broken = False
        return LiftedFrame(frame, replace(known, returned=returned), poses)

    def _lift_segments(
        self, frame: Frame, clip: Clip2D, segments: list[_Segment]
    ) -> Clip3D:
        """Lift the people who are visible around a frame, and place their roots."""
        time = frame.time
        lens = clip.lens
        camera = ideal_camera(clip.width, clip.height, lens)
        times = time + self._offsets
        windows = np.stack([segment.resample(times) for segment in segments])
        undistorted = windows.copy()
        if lens is not None:
            undistorted[..., :2] = lens.undistort(windows[..., :2])
        inputs = undistorted[..., : 3 if self.lifter.reads_scores else 2]
        predicted = self.lifter.predict(inputs, camera)
        poses = predicted[:, self._target - self._first_target].astype(np.float32)
        poses = hang_legs(poses, windows[:, self._target, :, 3])
        focal, center = camera_intrinsics(camera)
        scores = np.stack([segment.scores_at(time) for segment in segments])
        pixels = undistorted[:, self._target, :, :2]
        roots = []
        for row, segment in enumerate(segments):
            placed = _Placed(time, pixels[row], scores[row], poses[row])
            roots.append(segment.place(placed, focal, center))
        return self.lifter.as_clip(
            clip,
            frame=np.full(len(segments), frame.index),
            track=np.array([segment.track for segment in segments]),
            keypoints_3d=poses,
            keypoints_2d=windows[:, self._target, :, :2],
            scores=scores.astype(np.float32),
            variable_time=np.full(len(segments), time),
            root_3d=np.stack(roots).astype(np.float32),
            lens=lens,
        )

    def _drop_old(self, now: float) -> None:
        """Drop observations and people that no pending frame needs."""
        oldest = now
        if self._pending:
            oldest = self._pending[0][0].time
        start = oldest - max(-self._offsets[0], _SETTINGS.max_gap)
        for segment in self._segments:
            while segment.seen and segment.seen[0].time < start:
                segment.seen.popleft()
        last = start - _SETTINGS.max_occlusion
        self._segments = [x for x in self._segments if x.last_seen >= last]
