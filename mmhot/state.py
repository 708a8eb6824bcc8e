"""What is known of a clip on its way from frames to poses, and what a step is.

A pipeline is a tuple of step classes (:mod:`mmhot.chain.pipelines`). Each step is a
frozen dataclass, whose options are its fields; it takes a :class:`State` and returns
the next one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from mmhot.frames.sources import Frame, FrameObserver, FrameSource
from mmhot.options import Options, options_of
from mmhot.progress import Count, CountStage, Report
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens
from mmhot.structures.people import People

LookAgain = Callable[[FrameObserver, Callable[[int], None]], dict[str, np.ndarray]]
"""Takes an observer, and a function that receives the number of frames done."""


@dataclass
class ClipPeople:
    """People in the frames of a clip, as a 2D model found them."""

    people: list[People] = field(default_factory=list)  # people of each frame
    times: list[float] = field(default_factory=list)  # time of each frame in seconds
    size: tuple[int, int] = (0, 0)  # width and height of the frames in pixels
    complete: bool = False  # whether all frames were processed
    ended: str = ''  # why reading ended early, or nothing
    # frames with which another shot begins
    cuts: list[int] = field(default_factory=list)
    # arrays of each observer by key
    observed: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    # first frame that was processed, of a part of a video; frames before it have no
    # people
    first: int = 0
    skeleton: str = ''  # joint order of the keypoints; not stored

    def has_seen(self, observer: FrameObserver) -> bool:
        """Return whether there are an observer's arrays."""
        return observer.name in self.observed


@dataclass(frozen=True)
class Evidence:
    """Evidence of the errors of lifted poses; rows are those of the clip."""

    # spread of the predictions of each joint around their mean, meters, (N, 17)
    disagreement: np.ndarray
    # distance by which constant bone lengths moved each joint, meters, (N, 17)
    correction: np.ndarray
    directions: np.ndarray  # from the camera to the person, (N, 3)


@dataclass(frozen=True)
class State:
    """What is known of a clip; None is unknown.

    The state of a stream is that of one frame, whose clips have this frame alone.
    """

    frames: FrameSource | None = None  # the video or images
    frame: Frame | None = None  # of a stream: the frame
    interrupted: bool = False  # of a stream: whether frames were lost before this one
    people: ClipPeople | None = None  # the people that the 2D model found
    tracked: Clip2D | None = None  # all people that were tracked
    keypoints: Clip2D | None = None  # the 2D keypoints that will be lifted, or were
    poses: Clip3D | None = None  # the 3D poses
    returned: frozenset[int] = frozenset()  # of a stream: track IDs that were lost
    cuts: Sequence[int] | None = None  # frames with which another shot begins
    look_again: LookAgain | None = None  # reads the video again, unless it is cached
    lens: Lens | None = None  # lens of the images
    # rotation vector and zoom of the camera in each frame, (F, 4), if all frames share
    # the axes of the first
    camera_path: np.ndarray | None = None
    # how the lifter's missing joints are approximated, see `mmhot.convert_keypoints`
    mapping: str = 'trained'
    weights: Path | None = None  # file of the lifter's weights
    evidence: Evidence | None = None  # evidence of the errors of lifted poses
    thumbnails: FrameObserver | None = None  # keeps small images for ``.html``
    count: CountStage = lambda stage, done, total: None  # receives the progress

    @property
    def clip(self) -> Clip2D | Clip3D | None:
        """The poses or, before lifting, the keypoints."""
        return self.keypoints if self.poses is None else self.poses

    def source_frames(self) -> FrameSource:
        """Return the frames of a state that has some."""
        assert self.frames is not None
        return self.frames

    def stream_frame(self) -> Frame:
        """Return the frame of a state of a stream."""
        assert self.frame is not None
        return self.frame

    def clip_2d(self) -> Clip2D:
        """Return the keypoints of a state that has some."""
        assert self.keypoints is not None
        return self.keypoints

    def clip_3d(self) -> Clip3D:
        """Return the poses of a state that has some."""
        assert self.poses is not None
        return self.poses


Watch = Callable[[FrameSource, str], FrameObserver]
"""Makes an observer of frames and of people, whose skeleton it gets."""


@dataclass(frozen=True, kw_only=True)
class Step(Options, ABC):
    """A step of a pipeline."""

    title = 'steps'
    name: ClassVar[str]  # in ``--without`` and ``clip.steps``
    part: ClassVar[str] = '3D'  # stage of the progress bar and of the table of times
    optional: ClassVar[bool] = True  # whether it can be left out by name
    of_people: ClassVar[bool] = False  # whether it is not for other skeletons
    # whether it makes other 2D keypoints in pixels of the image, which files have
    of_keypoints: ClassVar[bool] = False

    report: Report = field(default=Report(), repr=False, compare=False)

    @abstractmethod
    def __call__(self, state: State) -> State:
        """Return the next state, or the same one if there is nothing to do."""

    def prepare(self) -> None:
        """Open models, which otherwise happens at the first call."""

    def watch(self) -> Sequence[Watch]:
        """Return what must look at the frames while people are detected."""
        return ()

    def option_values(self) -> dict[str, object]:
        """Return the values of the options, by name."""
        return {name: getattr(self, name) for name in options_of(type(self))}

    def counter(self, state: State) -> Count:
        """Return a function that reports the progress of this step's stage."""
        return lambda done, total: state.count(self.part, done, total)


class LiveStep(Step):
    """A step that streams run, too, for one frame after the other."""

    def start(self, fps: float) -> Callable[[State], State]:
        """Return what is called with each frame of a stream of a mean rate.

        Steps that remember earlier frames override this. By default the step itself is
        called.
        """
        return self
