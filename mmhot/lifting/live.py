"""3D poses of a stream with a fixed look-ahead.

Lifters use frames after the one they lift. A stream waits for some of these, its
look-ahead; after the newest frame that one is repeated.
``docs/streaming.md`` compares look-aheads.
"""

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.lifting.gaps import hang_legs
from mmhot.lifting.lift import LiftingStep, lifter_option
from mmhot.lifting.lifter import Lifter
from mmhot.lifting.live_segments import LiveSegment, LiveSettings, Observation
from mmhot.lifting.networks import Keep
from mmhot.options import option
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.state import State
from mmhot.structures.clips import Clip3D
from mmhot.structures.lens import camera_intrinsics, ideal_camera
from mmhot.weights.index import LIVE_LIFTER

_H36M = get_skeleton('h36m-17')


@dataclass(frozen=True, kw_only=True)
class LiftStream(LiftingStep):
    """Lift the people of a stream, some frames behind it."""

    pose3d: str | None = lifter_option(LIVE_LIFTER)
    lookahead: int | None = option(
        'delay of the poses in frames; more is more accurate (default: 4)',
        metavar='FRAMES',
    )
    live: LiveSettings = LiveSettings()

    def open_lifter(self, keep: Keep | None = None) -> Lifter:
        """Open the lifter, by default a fast one."""
        if self.pose3d is None and self.pose3d_weights is None:
            return replace(self, pose3d=LIVE_LIFTER).open_lifter(keep)
        return super().open_lifter(keep)

    def lift_frames(self, fps: float) -> 'FrameLifter':
        """Return what lifts a stream of a mean rate."""
        return FrameLifter(self.lifter, fps, self.lookahead, self.live)

    def __call__(self, state: State) -> State:
        """Raise TypeError: streams call :meth:`lift_frames`."""
        raise TypeError('a stream is lifted frame by frame')


class FrameLifter:
    """Lift the people of a stream frame by frame, in bounded memory.

    Args:
        lifter (Lifter): Lifts windows.
        fps (float): Approximate frames per second; the frames' times count.
        lookahead (int, optional): Later frames to wait for. By default 4, or as many
            as the lifter uses.
        settings (LiveSettings): Occlusions.

    Attributes:
        latency (float): The look-ahead in seconds, without the time of the models.
    """

    def __init__(
        self,
        lifter: Lifter,
        fps: float,
        lookahead: int | None = None,
        settings: LiveSettings = LiveSettings(),
    ) -> None:
        self.lifter, self.fps, self.settings = lifter, fps, settings
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
        self._pending: deque[State] = deque()

    def update(self, state: State) -> list[State]:
        """Take the next frame; return earlier frames that are due, with their poses.

        Usually that is one frame, none at first, and several after missing frames.
        """
        if state.interrupted:
            for segment in self._segments:
                segment.interrupted = True
        time, lifted = state.stream_frame().time, []
        self._observe(state)
        self._pending.append(state)
        # half a frame early, as timestamps are not exact
        due = time - self.latency + 0.5 / self.fps
        while self._pending and self._pending[0].stream_frame().time <= due:
            lifted.append(self._lift(self._pending.popleft()))
        self._drop_old(time)
        return lifted

    def flush(self) -> list[State]:
        """Lift the pending frames, as at the end of the stream."""
        lifted = [self._lift(state) for state in self._pending]
        self._pending.clear()
        return lifted

    def _observe(self, state: State) -> None:
        """Append the keypoints of a frame to their tracks."""
        clip, time = state.clip_2d(), state.stream_frame().time
        for track in clip.tracks:
            keypoints, scores, _ = convert_keypoints(
                track.keypoints,
                track.scores,
                clip.skeleton,
                _H36M.name,
                self.lifter.mapping,
            )
            self._segment_of(track.track, time).add(time, keypoints[0], scores[0])

    def _segment_of(self, track: int, time: float) -> LiveSegment:
        """Return the segment of a person, a new one after an interruption."""
        segments = [segment for segment in self._segments if segment.track == track]
        gap = time - segments[-1].last_seen if segments else np.inf
        if gap <= self.settings.max_gap and not segments[-1].interrupted:
            return segments[-1]
        segment = LiveSegment(track, bool(segments), self.settings)
        self._segments.append(segment)
        return segment

    def _lift(self, state: State) -> State:
        """State the poses of a frame, as a clip of this frame."""
        clip, time = state.clip_2d(), state.stream_frame().time
        segments = [segment for segment in self._segments if segment.contains(time)]
        if not segments:
            return state
        segments.sort(key=lambda segment: segment.track)
        times, size = time + self._offsets, (clip.width, clip.height)
        windows = np.stack([segment.resample(times) for segment in segments])
        camera, undistorted = ideal_camera(*size, state.lens), windows.copy()
        if state.lens is not None:
            undistorted[..., :2] = state.lens.undistort(windows[..., :2])
        inputs = undistorted[..., : 3 if self.lifter.reads_scores else 2]
        predicted = self.lifter.predict(inputs, camera)
        poses = predicted[:, self._target - self._first_target].astype(np.float32)
        poses = hang_legs(poses, windows[:, self._target, :, 3])
        focal, center = camera_intrinsics(camera)
        scores = np.stack([segment.scores_at(time) for segment in segments])
        roots = []
        for row, segment in enumerate(segments):
            pixels = undistorted[row, self._target, :, :2]
            seen = Observation(time, pixels, scores[row])
            roots.append(segment.place(seen, poses[row], focal, center))
        returned = frozenset(segment.track for segment in segments if segment.broken)
        for segment in segments:
            segment.broken = False
        lifted = Clip3D(
            name=clip.name,
            frame=np.full(len(segments), state.stream_frame().index),
            track=np.array([segment.track for segment in segments]),
            keypoints_3d=poses,
            keypoint_scores_3d=scores.astype(np.float32),
            keypoints_2d=windows[:, self._target, :, :2],
            scores=scores.astype(np.float32),
            width=clip.width,
            height=clip.height,
            fps=clip.fps,
            time=np.full(len(segments), time),
            joint_names=_H36M.joints,
            parents=_H36M.parents,
            model=self.lifter.name,
            root_3d=np.stack(roots).astype(np.float32),
            focal_length=float(focal[0]),
            focal_assumed=state.lens is None,
            intrinsics=() if state.lens is None else state.lens.parameters,
        )
        return replace(state, poses=lifted, returned=returned)

    def _drop_old(self, now: float) -> None:
        """Drop observations and people that no pending frame needs."""
        oldest = self._pending[0].stream_frame().time if self._pending else now
        span = max(-self._offsets[0], self.settings.max_gap)
        for segment in self._segments:
            segment.drop_before(oldest - span)
        last = oldest - span - self.settings.max_occlusion
        self._segments = [each for each in self._segments if each.last_seen >= last]
