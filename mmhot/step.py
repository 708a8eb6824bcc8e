"""What a step is, and what it is called with.

A step is a frozen dataclass, whose options are its fields. Its class says where it
stands in a pipeline and what it needs:

* :class:`KeypointStep`: ``step(clip)``, 2D keypoints before the lift
* :class:`mmhot.pose2d.footage.VideoStep`: ``step(clip, footage)``, the same, and needs
  the video
* :class:`PoseStep`: ``step(clip)``, 3D poses after the lift, or of other tools
* :class:`mmhot.lifting.lifted.LiftedStep`: ``step(clip, lifted)``, the same, and needs
  the keypoints that were lifted

A step returns a clip of the same class, which may be the one that it got.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.options import Options
from mmhot.progress import Report
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D

S = TypeVar('S', bound='Step')


@dataclass(frozen=True, kw_only=True)
class Step(Options):
    """A step of a pipeline."""

    title = 'steps'
    name: ClassVar[str]  # in ``--without`` and ``clip.steps``
    part: ClassVar[str] = '3D'  # stage of the progress bar and of the table of times
    optional: ClassVar[bool] = True  # whether it can be left out by name
    of_people: ClassVar[bool] = False  # whether it is not for other skeletons
    live: ClassVar[bool] = False  # whether streams run it, on clips of one frame

    report: Report = field(default=Report(), repr=False, compare=False)

    def reporting_to(self: S, report: Report) -> S:
        """Return the same step with another report."""
        step = copy(self)  # classes of users may have a constructor of their own
        object.__setattr__(step, 'report', report)
        return step

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return what must look at the frames while people are detected.

        People in the frames have a skeleton of this name.
        """
        return ()


class KeypointStep(Step):
    """A step before the lift."""

    def __call__(self, clip: Clip2D, /) -> Clip2D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip2D], Clip2D]:
        """Return what is called with each frame of a stream of a mean rate.

        Steps that remember earlier frames override this.
        """
        return self


class PoseStep(Step):
    """A step after the lift."""

    def __call__(self, clip: Clip3D, /) -> Clip3D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip3D], Clip3D]:
        """Return what is called with each frame, see :meth:`KeypointStep.start`."""
        return self
