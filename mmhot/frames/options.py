"""Options of the frames that are read."""

from dataclasses import dataclass
from math import inf
from typing import Annotated, Any

from mmhot.errors import ArgumentError
from mmhot.options import Option, Options


def read_time(value: Any) -> float:
    """Read a time: seconds, or text such as '90.5', '1:30' and '0:01:30'."""
    parts = [float(part) for part in str(value).split(':')]
    are_times = all(0 <= part < inf for part in parts)
    if len(parts) > 3 or not are_times or max(parts[1:], default=0) >= 60:
        raise ValueError
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


_EXPECTED = 'seconds or [h:]m:s, such as 90.5 or 1:30'
_TIME = Option(read=read_time, expected=_EXPECTED, metavar='TIME')


@dataclass(frozen=True, kw_only=True)
class PartOptions(Options):
    """Options that choose a part of a video or of a file of keypoints or poses."""

    title = 'time and people'

    start: Annotated[
        float | None,
        'begin at this time, in seconds or [h:]m:s; frame numbers and times stay those '
        'of the whole video',
        _TIME,
    ] = None
    end: Annotated[float | None, 'end before this time', _TIME] = None

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.first_time < self.end_time:
            raise ArgumentError(
                '{end} must be after {start}, %g s; got %g s', self.first_time, self.end
            )

    @property
    def first_time(self) -> float:
        """Time of the first frame at the earliest, seconds."""
        return self.start or 0.0

    @property
    def end_time(self) -> float:
        """Time before which the last frame is, seconds."""
        return inf if self.end is None else self.end


@dataclass(frozen=True, kw_only=True)
class RateOption(Options):
    """Option of images and raw streams, which have no frame rate."""

    title = 'time and people'

    fps: Annotated[
        float | None,
        'frame rate of image folders (which then form one video) and raw streams, and '
        'at which slow-motion videos were recorded',
        Option(low=0.1, high=1000),
    ] = None


@dataclass(frozen=True, kw_only=True)
class FrameOptions(PartOptions, RateOption):
    """Options of videos and images."""
