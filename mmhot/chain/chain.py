"""The chain from frames, 2D keypoints or 3D poses to finished 3D poses."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mmhot.chain.context import Context
from mmhot.chain.core_steps import Lift, SetLens
from mmhot.chain.steps import list_steps, of_keypoints, signature_of
from mmhot.frames.sources import FrameSource
from mmhot.motion.confidence import DropUncertain
from mmhot.motion.smoothing import SmoothPoses
from mmhot.pose2d.cache import ClipPeople
from mmhot.structures.clips import Clip2D, Clip3D

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.chain.live import LiveLifter

T = TypeVar('T')
Progress = Callable[[str, int, int], None]
"""Receives the part of the chain, frames done and frames in total."""
_INPUTS = (FrameSource, ClipPeople, Clip2D, Clip3D)


@dataclass
class StageTimes:
    """Seconds that the parts of the chain took for a clip, and what the clip is."""

    seconds: dict[str, float] = field(default_factory=dict)  # seconds by part
    num_frames: int = 0
    size: tuple[int, int] = (0, 0)  # width and height of a video in pixels

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


class Chain:
    """Run steps in order on whatever has their input.

    Frames pass all of them. A :class:`mmhot.Clip2D` enters after the people are
    tracked, a :class:`mmhot.Clip3D` after lifting. Steps that a clip has had do not run
    again.

    Args:
        steps (Sequence): The steps, see :class:`mmhot.chain.steps.Step`;
            :func:`mmhot.chain.build.build_chain` makes the list.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = list(steps)

    def find(self, kind: type[T]) -> T | None:
        """Return the step of a class; None if it was left out."""
        return next((step for step in self.steps if isinstance(step, kind)), None)

    def require(self, kind: type[T]) -> T:
        """Return the step of a class that the chain has."""
        step = self.find(kind)
        assert step is not None, f'the chain has no {kind.__name__}'
        return step

    def before(self, kind: type) -> 'Chain':
        """Return the chain that ends before the step of a class."""
        kinds = [isinstance(step, kind) for step in self.steps]
        return Chain(self.steps[: kinds.index(True)])

    def __call__(
        self,
        source: FrameSource | Clip2D | Clip3D,
        progress: Progress = lambda stage, done, total: None,
        times: StageTimes | None = None,
    ) -> Any:
        """Run the steps.

        Args:
            source (FrameSource | Clip2D | Clip3D): Frames, keypoints or poses.
            progress (Callable): Receives the part, frames done and frames in total, 0
                if unknown.
            times (StageTimes, optional): Filled in, even if a step fails.

        Returns:
            Clip3D | Clip2D | None: The clip after the last step; None if no person was
            found.

        Raises:
            ValueError: If no frame can be read, or no keypoint can be lifted.
            NotLiftableError: If the 2D model's keypoints are not those of people.
        """
        times = StageTimes() if times is None else times
        frames = source if isinstance(source, FrameSource) else None
        context = Context(frames=frames)
        value: Any = source
        if isinstance(source, Clip2D):
            # files are in pixels of the video, and poses are lifted anew
            kept = [name for name in source.steps if name in of_keypoints()]
            value = replace(source, steps=tuple(kept))
        had = () if frames is not None else value.steps
        for step in self.steps:
            has_run = step.name in had and step.name in list_steps()
            if has_run or not _suits(step, value, context):
                continue
            part = getattr(step, 'part', '3D')
            facts = {name: getattr(context, name) for name in signature_of(step).facts}
            if 'progress' in facts:
                facts['progress'] = partial(progress, part)
            with times.measure(part):
                result = step(value, **facts)
            new, found = result if isinstance(result, tuple) else (result, {})
            context = replace(context, **found)
            value = _record(step.name, value, new)
            if isinstance(value, ClipPeople):
                times.num_frames = len(value.people) - value.first
                times.size = value.size
            if isinstance(value, Clip2D) and not value.tracks:
                return None
        if frames is None and isinstance(value, Clip3D):
            times.num_frames = len(set(value.frame.tolist()))
        return value

    def live(self, fps: float, lookahead: int | None = None) -> 'LiveLifter':
        """Return what lifts a stream, by the steps that need no whole clip.

        Arguments are those of :class:`mmhot.chain.live.LiveLifter`.
        """
        from mmhot.chain.frame_steps import EstimatePoses, TrackPeople
        from mmhot.chain.live import LiveLifter
        from mmhot.chain.live_segments import LiveSettings

        return LiveLifter(
            self.require(EstimatePoses).models,
            self.require(Lift).lifter,
            fps,
            lookahead,
            self.find(DropUncertain),
            self.find(SmoothPoses),
            self.require(SetLens),
            LiveSettings(tracker=self.require(TrackPeople).limits.tracker),
        )


def _suits(step: Any, value: Any, context: Context) -> bool:
    """Return whether a step takes a clip, and what it needs is known."""
    takes = signature_of(step)
    (kind,) = (each for each in _INPUTS if isinstance(value, each))
    needed = (name for name, is_needed in takes.facts.items() if is_needed)
    return takes.clip == kind.__name__ and all(
        getattr(context, name) is not None for name in needed
    )


def _record(name: str, before: Any, after: Any) -> Any:
    """Append the name of a step that did something, if it can be left out."""
    if after is before or name not in list_steps():
        return after
    return replace(after, steps=tuple(dict.fromkeys((*before.steps, name))))
