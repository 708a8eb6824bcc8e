"""Interface of writers, functions that write a clip in a format, and their options.

The table :data:`mmhot.chain.formats.FORMATS` says which axes and tracks the clip of a
writer has, and which options act on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.options import Option, Options, T, Values
from mmhot.progress import Count
from mmhot.structures.clips_3d import Clip3D


@dataclass(frozen=True, kw_only=True)
class WriterOptions(Options):
    """Base class of options of writers; options act on the formats that list them."""

    title = 'results'
    hint = "files are written afterwards, by clip.save('NAME.bvh', %s=...)"


@dataclass(frozen=True, kw_only=True)
class VideoOptions(WriterOptions):
    """Options of the video in files."""

    no_video: Annotated[bool, 'leave the video out of .html, .mp4, .rrd'] = False
    blur_heads: Annotated[
        bool, 'blur the heads of all detected people in .html, .mp4, .rrd'
    ] = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.no_video and self.blur_heads:
            raise ArgumentError(
                '{blur_heads} needs the video, which {no_video} leaves out'
            )


@dataclass(frozen=True, kw_only=True)
class OutputRate(WriterOptions):
    """Option of formats that may have another rate than the video."""

    out_fps: Annotated[
        float | None,
        'frame rate of .bvh, .glb, .mot and .trc, such as 24 for Blender (default: the '
        "video's; 30 in the profile lafan1)",
        Option(low=1, high=1000),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OriginOption(WriterOptions):
    """Option of formats with positions on the floor."""

    origin: Annotated[
        Literal['person', 'camera'],
        'origin of .bvh, .glb and .mot on the floor: where the first person starts, or '
        'below the camera',
    ] = 'person'


class Image(Protocol):
    """Frame of a video."""

    index: int  # frame number
    time: float  # seconds
    image: np.ndarray  # BGR, uint8, (H, W, 3)


class Images(Protocol):
    """Frames of a video, such as a :class:`mmhot.chain.frames.sources.FrameSource`."""

    num_frames: int | None  # number of frames, if it is known
    names: Sequence[str]  # names of the frames by number, if each is a file

    def __iter__(self) -> Iterator[Image]:
        """Read from the start."""


@dataclass(frozen=True)
class Export:
    """Inputs of writers beside the clip.

    Attributes:
        footage (Images, optional): The video to show behind the keypoints.
        thumbnails (Mapping[int, bytes]): JPEG images of its frames by number, if they
            were made before.
        progress (Count): Function of the number of frames done and of all frames.
        origin (np.ndarray): The clip's origin in the world, meters, z up, (3,).
        values (Values): Options that the user stated, see :meth:`of`.
    """

    footage: Images | None = None
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    progress: Count = lambda done, total: None
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))
    values: Values = field(default_factory=lambda: Values({}, ()))

    def of(self, kind: type[T]) -> T:
        """Return the options of one class, with the user's values.

        Args:
            kind (type): Class of the options, one that the format lists.

        Returns:
            Options: Its instance.

        Example::

            def write_heads(clip, file, export):
                size = export.of(HeadOptions).size
        """
        # A plain class of a user was registered as a subclass of it.
        known = [x for x in self.values.kinds if issubclass(x, kind)]
        return self.values.of(kind if issubclass(kind, Options) else known[0])


class Write(Protocol):
    """Function that writes a clip to a file; it may return a note for the user."""

    def __call__(self, clip: Clip3D, file: Path, export: Export, /) -> str | None:
        """Create or replace the file."""
