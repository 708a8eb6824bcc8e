"""What a step is, and what it needs.

A step is a frozen dataclass, whose options are its fields. Before the lift, a
:class:`KeypointStep` changes 2D keypoints; after it, a :class:`PoseStep` changes 3D
poses. Its second argument, and the type in brackets, is what it needs besides the clip.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.options import Options
from mmhot.progress import Report
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip, Clip3D

Known = TypeVar('Known', contravariant=True)


@dataclass(frozen=True, kw_only=True)
class Step(Options):
    """A step of a pipeline."""

    title = 'steps'
    name: ClassVar[str]  # in ``--without`` and ``clip.steps``
    part: ClassVar[str] = '3D'  # stage of the progress bar and of the table of times
    optional: ClassVar[bool] = True  # whether it can be left out by name
    of_people: ClassVar[bool] = False  # whether it is not for other skeletons

    report: Report = field(default=Report(), repr=False, compare=False)

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return what must look at the frames while people are detected.

        People in the frames have a skeleton of this name.
        """
        return ()


@dataclass(frozen=True, kw_only=True)
class ClipStep(Step, Generic[Clip, Known]):
    """A step that changes a clip."""

    live: ClassVar[bool] = False  # whether streams run it, on clips of one frame

    def __call__(self, clip: Clip, known: Known, /) -> Clip:
        """Return another clip, or the same one if there is nothing to do."""
        return clip

    def start(self, fps: float) -> Callable[[Clip, Known], Clip]:
        """Return what is called with each frame of a stream of a mean rate.

        Steps that remember earlier frames override this.
        """
        return self


class KeypointStep(ClipStep[Clip2D, Known]):
    """A step before the lift, which may need :class:`mmhot.pose2d.footage.Footage`."""


class PoseStep(ClipStep[Clip3D, Known]):
    """A step after the lift, which may need :class:`mmhot.lifting.lifted.Lifted`."""
