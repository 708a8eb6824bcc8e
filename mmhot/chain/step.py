"""What a step is, and what it is called with.

A step is a frozen dataclass; its annotated fields are its options. Its base class says
where it stands in a pipeline and what it needs:

* :class:`KeypointStep`: ``step(clip)``, 2D keypoints before the lift
* :class:`mmhot.chain.pose2d.footage.VideoStep`: ``step(clip, footage)``, 2D keypoints
  before the lift, and needs the video
* :class:`PoseStep`: ``step(clip)``, 3D poses after the lift, or from other tools
* :class:`mmhot.chain.lifting.lifted.LiftedStep`: ``step(clip, lifted)``, 3D poses after
  the lift, and needs the keypoints that were lifted

A step returns a clip of the same class; this may be its argument, unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from mmhot.chain.frames.sources import FrameObserver, FrameSource
from mmhot.options import Options
from mmhot.progress import Report
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D

S = TypeVar('S', bound='Step')


@dataclass(frozen=True, kw_only=True)
class Step(Options):
    """A step of a pipeline; users derive from the classes that the module lists."""

    title = 'steps'
    name: ClassVar[str]  # name in ``clip.steps``, and in ``--without``
    goes_with: ClassVar[str] = ''  # name of the step with which it is left out
    part: ClassVar[str] = '3D'  # stage of the progress bar and of the table of times
    optional: ClassVar[bool] = True  # whether the step can be left out by name
    of_people: ClassVar[bool] = False  # whether the step is for people only
    live: ClassVar[bool] = False  # whether streams run the step, on clips of one frame

    report: Report = field(default=Report(), repr=False, compare=False)

    def reporting_to(self: S, report: Report) -> S:
        """Return a copy of the step that reports elsewhere."""
        return self.with_values(report=report)

    def check_people(self, name: str, tracks: Sequence[int]) -> None:
        """Raise ArgumentError if an option contradicts the people to lift."""

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return objects that see each frame while people are detected in it.

        Args:
            frames (FrameSource): The video.
            skeleton (str): Name of the skeleton of the people in it.

        Returns:
            Sequence[FrameObserver]: The observers. Defaults to none.
        """
        return ()


class KeypointStep(Step):
    """A step before the lift, see :func:`mmhot.register_step`.

    Example::

        class Shift(mmhot.KeypointStep):
            name = 'shift'
            pixels: Annotated[float, 'pixels to the right'] = 5.0

            def __call__(self, clip):
                shift = np.float32([self.pixels, 0])
                tracks = [
                    replace(track, keypoints=track.keypoints + shift)
                    for track in clip.tracks
                ]
                return replace(clip, tracks=tracks)
    """

    def __call__(self, clip: Clip2D, /) -> Clip2D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip2D], Clip2D]:
        """Return the function that processes a stream, frame by frame.

        Steps that remember earlier frames override this.

        Args:
            fps (float): Mean frames per second of the stream.
        """
        return self


class PoseStep(Step):
    """A step after the lift, or on poses of other tools; see :class:`KeypointStep`."""

    def __call__(self, clip: Clip3D, /) -> Clip3D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip3D], Clip3D]:
        """Return the function for a stream, see :meth:`KeypointStep.start`."""
        return self
