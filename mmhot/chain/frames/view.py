"""Views of videos: frames that are cropped and turned when they are decoded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.frames.sources import Frame, FrameSource, FrameView
from mmhot.errors import ArgumentError
from mmhot.options import Option, Options, split_numbers

TURNS = (0, 90, 180, 270)
"""Quarter turns, clockwise, in degrees."""


def read_turn(value: int | str) -> int | str:
    """Read a turn in degrees, or 'auto'.

    >>> [read_turn(text) for text in ('auto', '90', 180)]
    ['auto', 90, 180]
    """
    [turn] = ['auto'] if value == 'auto' else split_numbers(value, int)
    if turn not in ('auto', *TURNS):
        raise ValueError
    return turn


def read_crop(value: str | Iterable[int]) -> tuple[int, int, int, int]:
    """Read a part of an image: left, top, width and height in pixels.

    >>> read_crop('640,0,640,720')
    (640, 0, 640, 720)
    """
    left, top, width, height = split_numbers(value, int)
    if min(left, top) < 0 or min(width, height) < 1:
        raise ValueError
    return left, top, width, height


@dataclass(frozen=True, kw_only=True)
class ViewOptions(Options):
    """Options that crop and turn the frames of a video."""

    title = 'time and people'

    rotate: Annotated[
        int | str,
        'turn the frames clockwise by 90, 180 or 270 degrees, for videos that are '
        'stored turned; auto: turn them if the people show it (not in streams)',
        Option(
            read=read_turn,
            expected='auto, 0, 90, 180 or 270',
            metavar='{auto,0,90,180,270}',
        ),
    ] = 'auto'
    crop: Annotated[
        tuple[int, int, int, int] | None,
        'see only a part of the image, such as one view of a split screen: left, '
        'top, width and height in pixels, before frames are turned',
        Option(
            read=read_crop,
            expected='X,Y,W,H in pixels, such as 640,0,640,720',
            metavar='X,Y,W,H',
        ),
    ] = None

    def view(self, image: np.ndarray) -> np.ndarray:
        """Crop and turn an image (H, W, 3) as the user states.

        Raises:
            ArgumentError: If the part is not inside the image.
        """
        if self.crop is not None:
            left, top, width, height = self.crop
            rows, columns = image.shape[:2]
            if left + width > columns or top + height > rows:
                raise ArgumentError(
                    '{crop=%r} must be inside the image of %dx%d pixels',
                    self.crop,
                    columns,
                    rows,
                )
            image = image[top : top + height, left : left + width]
        return turn_image(image, 0 if self.rotate == 'auto' else int(self.rotate))


def turn_image(image: np.ndarray, turn: int) -> np.ndarray:
    """Turn an image (H, W, 3) clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(image, -turn // 90))


def take_view(source: FrameSource, options: ViewOptions) -> FrameSource:
    """Return frames that are cropped and turned as the user states."""
    if options.crop is None and options.rotate in ('auto', 0):
        return source
    return ViewedFrames(source, options)


class ViewedFrames(FrameView):
    """Frames of another source that are cropped and turned."""

    def __init__(self, whole: FrameSource, options: ViewOptions) -> None:
        super().__init__(whole)
        self.options = options
        self.view = (*whole.view, str(options.crop), str(options.rotate))
        if options.crop is not None:
            self.focal_35mm = None  # it is that of the whole image

    def __iter__(self) -> Iterator[Frame]:
        """Read from the start of the whole."""
        for frame in self.whole:
            yield replace(frame, image=self.options.view(frame.image))
            self.num_damaged = self.whole.num_damaged
        self.ended = self.whole.ended
