"""Streams: the steps of a pipeline run frame by frame."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from mmhot.chain.frames.sources import Frame, FrameSource
from mmhot.chain.lifting.live import LiftedFrame
from mmhot.chain.live_people import LivePerson, PeoplePlacer, PlaceOptions
from mmhot.chain.plan import LivePlan
from mmhot.chain.step import Step
from mmhot.chain.user_steps import guarded
from mmhot.errors import user_code
from mmhot.structures.clips_3d import Clip


@dataclass
class LivePoses:
    """The people of a frame, by track ID.

    Attributes:
        frame (Frame): ``index``, ``time`` and ``image`` of the frame.
        people (list[LivePerson]): Its people.
        latency (float): Seconds from the arrival of the frame to this result.
        tilt (float | None): Degrees the camera looks down; None until it is known.
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

    Args:
        plan (LivePlan): Steps and models.
        frames (FrameSource): The stream.
        fps (float): Approximate frame rate. Poses depend on the times of the frames.
        placer (PeoplePlacer, optional): Places the people in the world.

    Attributes:
        lifter (LiveLifter): State of the lift, with the latency of the poses.
    """

    def __init__(
        self,
        plan: LivePlan,
        frames: FrameSource,
        fps: float,
        placer: PeoplePlacer | None = None,
    ) -> None:
        self.plan = plan
        self.frames = frames
        self.fps = fps
        self.placer = PeoplePlacer(PlaceOptions()) if placer is None else placer
        self._estimate = plan.estimate.start(frames, plan.models)
        self._track = plan.track.start(fps)
        self.lifter = plan.lift.start(plan.lifter, fps)
        self._keypoints = [_started(step, step.start, fps) for step in plan.keypoints]
        self._poses = [_started(step, step.start, fps) for step in plan.poses]
        self._is_interrupted = False
        self._shape: tuple[int, ...] | None = None  # shape of the last image

    def __call__(self, items: Iterable[Frame | str]) -> Iterator[LivePoses]:
        """Lift a whole stream, such as a :class:`mmhot.chain.frames.capture.Capture`.

        Args:
            items (Iterable[Frame | str]): Frames, and texts where the stream was
                interrupted.

        Yields:
            LivePoses: The people of each frame.
        """
        for item in items:
            if isinstance(item, str):
                yield from self.interrupt()
            else:
                yield from self.update(item)
        yield from self.flush()

    def update(self, frame: Frame) -> list[LivePoses]:
        """Process the next frame, and lift earlier frames that waited for it.

        Returns:
            list[LivePoses]: Usually one frame, none at first, and several after missing
            frames.
        """
        frame = replace(frame, image=self.plan.estimate.view(frame.image))
        poses: list[LivePoses] = []
        if self._shape not in (None, frame.image.shape):
            poses = self.interrupt()
        self._shape = frame.image.shape
        is_interrupted = self._is_interrupted
        self._is_interrupted = False
        footage = self._estimate(frame, is_interrupted)
        clip = self._track(footage)
        for call in self._keypoints:
            clip = call(clip, footage) if clip.tracks else clip
        lifted = self.lifter.update(frame, clip, is_interrupted)
        return poses + [self._poses_of(earlier) for earlier in lifted]

    def interrupt(self) -> list[LivePoses]:
        """Lift the pending frames; people who are seen again are marked as broken."""
        self._is_interrupted = True
        return self.flush()

    def flush(self) -> list[LivePoses]:
        """Lift the pending frames, as at the end of the stream."""
        return [self._poses_of(earlier) for earlier in self.lifter.flush()]

    def _poses_of(self, lifted: LiftedFrame) -> LivePoses:
        """Run the steps after lifting; return the people of a frame."""
        clip = lifted.poses
        frame = lifted.frame
        people: list[LivePerson] = []
        for call in self._poses:
            clip = call(clip, lifted.lifted) if clip else clip
        if clip:
            people = self.placer(clip, lifted.lifted.returned, frame.time)
        latency = time.monotonic() - frame.arrived
        return LivePoses(frame, people, latency, self.placer.level.tilt)


def _started(
    step: Step, start: Callable[[float], Callable[..., Clip]], fps: float
) -> Callable[..., Clip]:
    """Start a step; return the function that :func:`guarded` makes of it."""
    with user_code(f'the step {step.name!r}'):
        return guarded(step, start(fps), is_live=True)
