"""Streams: the steps of a pipeline for one frame after the other."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmhot.chain.live_people import LivePerson, PeoplePlacer, PlaceOptions
from mmhot.chain.user_steps import UserStep
from mmhot.frames.sources import Frame, FrameSource
from mmhot.lifting.live import FrameLifter, LiftStream
from mmhot.state import LiveStep, State, Step

OnFrame = Callable[[State], State]


@dataclass
class LivePoses:
    """The people of a frame, by track ID.

    Attributes:
        frame (Frame): ``index``, ``time`` and ``image`` of the frame.
        people (list[LivePerson]): Its people.
        latency (float): Seconds from the arrival of the frame to this result.
        tilt (float | None): Degrees by which the camera looks down; None until people
            stand.
    """

    frame: Frame
    people: list[LivePerson]
    latency: float
    tilt: float | None

    @property
    def time(self) -> float:
        """Seconds since the first frame."""
        return self.frame.time


class LiveChain:
    """Run the steps of a stream, frame by frame, in bounded memory.

    One of the steps is a :class:`LiftStream`; users' steps that are not live are left
    out. ``fps`` is an approximate rate; the frames' times count.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        frames: FrameSource,
        fps: float,
        placer: PeoplePlacer | None = None,
    ) -> None:
        self.frames, self.fps = frames, fps
        self.placer = PeoplePlacer(PlaceOptions()) if placer is None else placer
        self.left_out: list[str] = []
        self._before: list[OnFrame] = []
        self._after: list[OnFrame] = []
        on_frame = self._before
        for step in steps:
            if isinstance(step, LiftStream):
                self.lifter = FrameLifter(step.lifter, fps, step.lookahead)
                on_frame = self._after
            elif isinstance(step, UserStep) and not step.live:
                self.left_out.append(step.name)
            else:
                assert isinstance(step, LiveStep), f'{step.name} needs a whole clip'
                on_frame.append(step.start(fps))
        self._is_interrupted = False
        self._last: Frame | None = None

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
        last, self._last, poses = self._last, frame, list[LivePoses]()
        if last is not None and not frame.time > last.time:
            raise ValueError(
                f'time must increase from {last.time} s, got {frame.time} s'
            )
        if last is not None and last.image.shape != frame.image.shape:
            poses = self.interrupt()
        state = State(frames=self.frames, frame=frame, interrupted=self._is_interrupted)
        self._is_interrupted = False
        for step in self._before:
            state = step(state)
        return poses + self._finish(self.lifter.update(state))

    def interrupt(self) -> list[LivePoses]:
        """Lift the pending frames; tracks that go on later are marked as broken."""
        self._is_interrupted = True
        return self.flush()

    def flush(self) -> list[LivePoses]:
        """Lift the pending frames, as at the end of the stream."""
        return self._finish(self.lifter.flush())

    def _finish(self, lifted: Iterable[State]) -> list[LivePoses]:
        """Run the steps after lifting."""
        poses = []
        for state in lifted:
            for step in self._after:
                state = step(state)
            poses.append(self._poses_of(state))
        return poses

    def _poses_of(self, state: State) -> LivePoses:
        """Return the people of a frame."""
        frame, people = state.stream_frame(), list[LivePerson]()
        if state.poses is not None:
            people = self.placer(state.poses, state.returned, frame.time)
        latency = time.monotonic() - frame.arrived
        return LivePoses(frame, people, latency, self.placer.tilt)
