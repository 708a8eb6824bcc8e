"""A video, what was seen in it, and steps that need both."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mmhot.chain.frames.sources import FrameObserver, FrameSource
from mmhot.chain.step import Step
from mmhot.progress import CountStage, no_count
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.people import People

LookAgain = Callable[[FrameObserver, Callable[[int], None]], dict[str, np.ndarray]]
"""Function that reads the video again.

It is called with an observer, and a function that receives the number of frames done,
and returns the arrays of the observer.
"""


@dataclass
class ClipPeople:
    """People in the frames of a clip, as a 2D model found them."""

    people: list[People] = field(default_factory=list)  # people of each frame
    times: list[float] = field(default_factory=list)  # time of each frame in seconds
    size: tuple[int, int] = (0, 0)  # width and height of the frames in pixels
    complete: bool = False  # whether all frames were processed
    ended: str = ''  # reason why reading ended early, or empty
    # Numbers of the frames with which another shot begins
    cuts: list[int] = field(default_factory=list)
    # Arrays of each observer by its name
    observed: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    # Number of the first frame that was processed; frames before it have no people
    first: int = 0
    skeleton: str = ''  # joint order of the keypoints; not stored


@dataclass(frozen=True)
class Footage:
    """A video, or one frame of a stream, and what was seen in it."""

    frames: FrameSource
    people: ClipPeople = field(default_factory=ClipPeople)
    tracked: Clip2D | None = None  # all people who were tracked in the whole video
    look_again: LookAgain | None = None  # function that reads the video again
    count: CountStage = no_count  # function that receives the progress


class VideoStep(Step):
    """A step before the lift that needs the video."""

    def __call__(self, clip: Clip2D, footage: Footage, /) -> Clip2D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip2D, Footage], Clip2D]:
        """Return a function that does the step for each frame of a stream.

        ``fps`` is the mean frame rate. The function is called with a clip and footage
        of a single frame. Steps that remember earlier frames override this.
        """
        return self
