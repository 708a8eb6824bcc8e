"""What a function is that writes a clip in a format, and what it gets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from mmhot.progress import Count
from mmhot.structures.clips_3d import Clip3D


class Image(Protocol):
    """Frame of a video: its number, seconds, and BGR image, uint8 (H, W, 3)."""

    index: int
    time: float
    image: np.ndarray


class Images(Protocol):
    """Frames of a video, such as a :class:`mmhot.frames.sources.FrameSource`."""

    num_frames: int | None  # if their number is known
    names: Sequence[str]  # of frames by number, if each is a file

    def __iter__(self) -> Iterator[Image]:
        """Read from the start."""


@dataclass(frozen=True)
class Export:
    """What writers may use beside the clip.

    Attributes:
        footage (Images, optional): The video to show behind the keypoints.
        thumbnails (Mapping[int, bytes]): JPEG images of its frames by number, as far as
            they were made before.
        progress (Count): Receives the numbers of frames done and of all.
        origin (np.ndarray): The clip's origin in the world, meters, z up, (3,).
        bvh_profile (str): See :class:`mmhot.chain.options.ExportOptions`, also for the
            following.
        out_fps (float, optional): Frame rate other than the clip's.
        draw (str): What is drawn into ``.mp4``.
    """

    footage: Images | None = None
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    progress: Count = lambda done, total: None
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))
    bvh_profile: str = 'default'
    out_fps: float | None = None
    draw: str = 'poses'


class Write(Protocol):
    """Function that writes a clip to a file; it may return a note for the user."""

    def __call__(self, clip: Clip3D, file: Path, export: Export, /) -> str | None:
        """Create or replace the file."""
