"""3D poses of a stream with a fixed look-ahead.

Lifters use frames after the one they lift. A stream waits for some of these, its
look-ahead; after the newest frame that one is repeated, as at the end of clips.
``docs/streaming.md`` compares look-aheads.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mmhot.chain.core_steps import SetLens
from mmhot.chain.live_segments import LiveSegment, LiveSettings, Observation
from mmhot.errors import ArgumentError
from mmhot.frames.sources import Frame
from mmhot.lifting.lifter import Lifter
from mmhot.motion.confidence import DropUncertain
from mmhot.motion.smoothing import SmoothPoses
from mmhot.pose2d.estimation import VideoPoseEstimator
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.lens import camera_intrinsics, ideal_camera
from mmhot.structures.people import People
from mmhot.tracking.person_tracker import Tracker

_H36M = get_skeleton('h36m-17')
LIVE_SMOOTHERS = ('none', 'one-euro')
"""Smoothing that needs no future frames."""


@dataclass
class LivePerson:
    """One person in one frame of a stream.

    Attributes:
        track (int): Track ID.
        keypoints_3d (np.ndarray): Human3.6M-17 joints around the root, meters, camera
            axes (x right, y down, z forward), (17, 3).
        root_3d (np.ndarray): Root position in camera axes, meters, (3,); NaN if
            unknown.
        keypoints_2d (np.ndarray): Pixels, (17, 2).
        scores (np.ndarray): Confidence, 0 for joints that were filled in, (17,).
        broken (bool): Whether the track was lost between the last pose and this one.
    """

    track: int
    keypoints_3d: np.ndarray
    root_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    broken: bool


@dataclass
class LivePoses:
    """The people of a frame, by track ID.

    Attributes:
        frame (Frame): ``index``, ``time`` and ``image`` of the frame.
        people (list[LivePerson]): Its people.
    """

    frame: Frame
    people: list[LivePerson]

    @property
    def time(self) -> float:
        """Seconds since the first frame."""
        return self.frame.time


class LiveLifter:
    """Lift the people of a stream frame by frame, in bounded memory.

    ``docs/streaming.md`` has an example.

    Args:
        pose_estimator (VideoPoseEstimator): Estimates 2D keypoints.
        lifter (Lifter): Lifts them.
        fps (float): Approximate frames per second; the frames' times count.
        lookahead (int, optional): Later frames to wait for. By default 4, or as many
            as the lifter uses.
        confidence (DropUncertain, optional): Which keypoints count as missing.
        smoothing (SmoothPoses, optional): Filter, 'one-euro'.
        lens (SetLens): The camera's lens.
        settings (LiveSettings): Occlusions and tracking.

    Attributes:
        latency (float): The look-ahead in seconds, without the time of the models.
    """

    def __init__(
        self,
        pose_estimator: VideoPoseEstimator,
        lifter: Lifter,
        fps: float,
        lookahead: int | None = None,
        confidence: DropUncertain | None = DropUncertain(),
        smoothing: SmoothPoses | None = None,
        lens: SetLens = SetLens(),
        settings: LiveSettings = LiveSettings(),
    ) -> None:
        self.smooth_3d = 'none' if smoothing is None else smoothing.smooth_3d
        if self.smooth_3d not in LIVE_SMOOTHERS:
            raise ArgumentError(
                '{smooth_3d} of a stream must be %s, as others need future frames; '
                'got %r',
                ' or '.join(LIVE_SMOOTHERS),
                self.smooth_3d,
            )
        self.pose_estimator, self.lifter, self.fps = pose_estimator, lifter, fps
        self.lens, self.settings = lens, settings
        self._confidence, self._smoothing = confidence, smoothing
        self.tracker = Tracker(fps, settings.max_occlusion, settings.tracker)
        self._first_target = first = lifter.seq_len - lifter.num_targets
        middle = lifter.seq_len - 1
        if not lifter.causal:
            self._first_target = first // 2
            middle = first // 2 + lifter.num_targets // 2
        after = (lifter.seq_len - 1 - middle) / lifter.fps
        most = math.ceil(round(after * fps, 6))
        if lookahead is None:
            lookahead = min(settings.lookahead, most)
        if not 0 <= lookahead <= most:
            raise ArgumentError(
                '{lookahead} must be from 0 to the %s frames that %s uses at %g frames '
                'per second, got %s',
                most,
                lifter.name,
                fps,
                lookahead,
            )
        self.lookahead, self.latency = lookahead, lookahead / fps
        # Lifters with few targets are best at the middle one, even if all frames after
        # it repeat the newest one. Those that lift their whole window do with fewer
        # later frames, and use more of the past instead.
        self._target = middle
        if lifter.num_targets == lifter.seq_len > 1:
            after = round(self.latency * lifter.fps)
            self._target = max(middle, lifter.seq_len - 1 - after)
        self._offsets = (np.arange(lifter.seq_len) - self._target) / lifter.fps
        self._segments: list[LiveSegment] = []
        self._pending: deque[Frame] = deque()
        self._previous: People | None = None
        self._count = 0
        self._index = -1
        self._size: tuple[int, int] | None = None
        self._now: float | None = None

    def __call__(self, items: Iterable[Frame | str]) -> Iterator[LivePoses]:
        """Lift a whole stream, such as a :class:`mmhot.frames.capture.Capture`.

        Text stands for an interruption.
        """
        for item in items:
            if isinstance(item, str):
                yield from self.interrupt()
            else:
                yield from self.update(item)
        yield from self.flush()

    def update(self, frame: Frame) -> list[LivePoses]:
        """Process the next frame; returns the poses of earlier frames that are due.

        Usually that is one frame, none at first, and several after missing frames.
        """
        if self._now is not None and not frame.time > self._now:
            raise ValueError(
                f'time must increase from {self._now} s, got {frame.time} s'
            )
        self._now = frame.time
        size = frame.image.shape[1::-1]
        done = self.interrupt() if self._size not in (None, size) else []
        self._size = size
        self._observe(frame)
        self._pending.append(frame)
        # half a frame early, as timestamps are not exact
        due = frame.time - self.latency + 0.5 / self.fps
        while self._pending and self._pending[0].time <= due:
            done.append(self._lift(self._pending.popleft()))
        self._drop_old(frame.time)
        return done

    def interrupt(self) -> list[LivePoses]:
        """Lift the pending frames; tracks that go on later are marked as broken."""
        done = self.flush()
        self._previous = None
        for segment in self._segments:
            segment.interrupted = True
        return done

    def flush(self) -> list[LivePoses]:
        """Lift the pending frames, as at the end of the stream."""
        done = [self._lift(frame) for frame in self._pending]
        self._pending.clear()
        return done

    def _observe(self, frame: Frame) -> None:
        """Estimate the 2D poses of a frame and append them to their tracks."""
        models = self.pose_estimator
        numbered = replace(frame, index=self._count)
        interval = models.detection_interval()
        people = models.estimate_frame(numbered, self._previous, interval)
        self._previous = people
        self._count += 1
        # the tracker counts frames at an even rate
        self._index = max(self._index + 1, round(frame.time * self.fps))
        ids = self.tracker.update(people, self._index)
        keypoints, skeleton = people.keypoints, get_skeleton(models.estimator.skeleton)
        step, size = self._confidence, frame.image.shape[1::-1]
        if step is not None and (limit := step.limit_of(True)) is not None:
            low = step.find(keypoints, people.scores, skeleton, size, limit)
            keypoints = np.where(low[..., None], np.nan, keypoints).astype(np.float32)
        keypoints, scores, _ = convert_keypoints(
            keypoints, people.scores, skeleton.name, _H36M.name, self.lifter.mapping
        )
        for row in np.flatnonzero(ids >= 0):
            segment = self._segment_of(int(ids[row]), frame.time)
            segment.add(frame.time, keypoints[row], scores[row])

    def _segment_of(self, track: int, time: float) -> LiveSegment:
        """Return the segment of a person, a new one after an interruption."""
        own = [segment for segment in self._segments if segment.track == track]
        gap = time - own[-1].last_seen if own else np.inf
        if gap <= self.settings.max_gap and not own[-1].interrupted:
            return own[-1]
        filters = self._smoothing.settings if self._smoothing else None
        self._segments.append(LiveSegment(track, bool(own), filters, self.settings))
        return self._segments[-1]

    def _lift(self, frame: Frame) -> LivePoses:
        segments = [each for each in self._segments if each.contains(frame.time)]
        if not segments:
            return LivePoses(frame, [])
        segments.sort(key=lambda segment: segment.track)
        assert self._size is not None  # that of the frames so far
        times = frame.time + self._offsets
        windows = np.stack([segment.resample(times) for segment in segments])
        lens = self.lens.of_size(*self._size)
        camera, undistorted = ideal_camera(*self._size, lens), windows.copy()
        if lens is not None:
            undistorted[..., :2] = lens.undistort(windows[..., :2])
        inputs = undistorted if self.lifter.reads_scores else undistorted[..., :2]
        poses = self.lifter.predict(inputs, camera)
        poses = poses[:, self._target - self._first_target]
        focal, center = camera_intrinsics(camera)
        people = []
        for row, segment in enumerate(segments):
            scores = segment.scores_at(frame.time)
            pixels = windows[row, self._target, :, :2]
            straight = undistorted[row, self._target, :, :2]
            seen = Observation(frame.time, straight, scores)
            placed = segment.place(seen, poses[row], focal, center)
            person = LivePerson(segment.track, *placed, pixels, scores, segment.broken)
            people.append(person)
            segment.broken = False
        return LivePoses(frame, people)

    def _drop_old(self, now: float) -> None:
        """Drop observations and people that no pending frame needs."""
        oldest = self._pending[0].time if self._pending else now
        span = max(-self._offsets[0], self.settings.max_gap)
        for segment in self._segments:
            segment.drop_before(oldest - span)
        last = oldest - span - self.settings.max_occlusion
        self._segments = [each for each in self._segments if each.last_seen >= last]
