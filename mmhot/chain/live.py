"""Streams: the steps of a pipeline for one frame after the other."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mmhot.chain.live_people import LivePerson, PeoplePlacer, PlaceOptions
from mmhot.chain.run import Chain
from mmhot.chain.user_steps import guarded
from mmhot.frames.sources import Frame, FrameSource
from mmhot.lifting.lifted import Lifted
from mmhot.lifting.live import LiftedFrame, LiftStream
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.pose2d.footage import Footage
from mmhot.tracking.track import TrackPeople


@dataclass
class LivePoses:
    """The people of a frame, by track ID.

    Attributes:
        frame (Frame): ``index``, ``time`` and ``image`` of the frame.
        people (list[LivePerson]): Its people.
        latency (float): Seconds from the arrival of the frame to this result.
        tilt (float | None): Degrees the camera looks down; None until people stand.
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

    Steps that are not live are left out. ``fps`` is approximate, as times count.
    """

    def __init__(
        self,
        chain: Chain[Footage, Lifted],
        frames: FrameSource,
        fps: float,
        placer: PeoplePlacer | None = None,
    ) -> None:
        self.steps, self.frames, self.fps = chain, frames, fps
        self.placer = PeoplePlacer(PlaceOptions()) if placer is None else placer
        self._estimate = chain.find(EstimatePoses).start(frames, chain.models)
        self._track = chain.find(TrackPeople).start(fps)
        self.lifter = chain.find(LiftStream).start(chain.lifter, fps)
        keypoints, poses = chain.keypoints, chain.poses
        self._keypoints = [guarded(x, x.start(fps)) for x in keypoints if x.live]
        self._poses = [guarded(x, x.start(fps)) for x in poses if x.live]
        self.left_out = [x.name for x in keypoints if not x.live]
        self.left_out += [x.name for x in poses if not x.live]
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
        if last is not None and last.image.shape != frame.image.shape:
            poses = self.interrupt()
        is_interrupted, self._is_interrupted = self._is_interrupted, False
        footage = self._estimate(frame, is_interrupted)
        clip = self._track(footage)
        for step in self._keypoints:
            clip = step(clip, footage)
        lifted = self.lifter.update(frame, clip, is_interrupted)
        return poses + [self._poses_of(earlier) for earlier in lifted]

    def interrupt(self) -> list[LivePoses]:
        """Lift the pending frames; tracks that go on later are marked as broken."""
        self._is_interrupted = True
        return self.flush()

    def flush(self) -> list[LivePoses]:
        """Lift the pending frames, as at the end of the stream."""
        return [self._poses_of(earlier) for earlier in self.lifter.flush()]

    def _poses_of(self, lifted: LiftedFrame) -> LivePoses:
        """Run the steps after lifting; return the people of a frame."""
        clip, frame, people = lifted.poses, lifted.frame, list[LivePerson]()
        if clip is not None:
            for step in self._poses:
                clip = step(clip, lifted.lifted)
            people = self.placer(clip, lifted.lifted.returned, frame.time)
        latency = time.monotonic() - frame.arrived
        return LivePoses(frame, people, latency, self.placer.tilt)
