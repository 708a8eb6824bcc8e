"""A part of a clip, between two times; its frames keep their numbers and times."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated

import numpy as np

from mmhot.chain.frames.sources import Frame, FrameSource, FrameView
from mmhot.errors import ArgumentError
from mmhot.options import Option, Options
from mmhot.structures.clips_3d import Clip, Clip3D

# Seconds; times in files are rounded by at most half of this, so that half is as good.
_ROUNDING = 1e-4


def read_time(value: float | str) -> float:
    """Read a time in seconds, or as text.

    >>> [read_time(text) for text in ('90.5', '1:30', '0:01:30')]
    [90.5, 90.0, 90.0]

    Raises:
        ValueError: If it is not a time.
    """
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
        float,
        'begin at this time, in seconds or [h:]m:s; frame numbers and times stay those '
        'of the whole video',
        _TIME,
    ] = 0.0
    end: Annotated[float, 'end before this time (default: the end)', _TIME] = inf

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.start < self.end:
            raise ArgumentError(
                '{end} must be after {start}, %g s; got %g s', self.start, self.end
            )


def take_frames(source: FrameSource, options: PartOptions) -> FrameSource:
    """Return the frames of a video from ``options.start`` to before ``options.end``.

    They keep their numbers and times. If the part has no frame, reading it raises an
    :class:`~mmhot.errors.ArgumentError`.
    """
    span = options.start, options.end
    return source if span == (0, inf) else FramePart(source, span)


def take_part(clip: Clip, options: PartOptions) -> Clip:
    """Return the frames from ``options.start`` to before ``options.end``.

    Args:
        clip (Clip2D | Clip3D): The whole clip; it is not changed.
        options (PartOptions): Times in seconds.

    Returns:
        Clip2D | Clip3D: The part; its frames keep their numbers and times.

    Raises:
        ArgumentError: If the part has no frame.
    """
    span = options.start, options.end
    if span == (0, inf):
        return clip
    if isinstance(clip, Clip3D):
        seconds = clip.seconds(clip.frame)
        rows = _within(seconds, span)
        if not rows.any():
            raise _nothing(clip.name, seconds, options.start)
        return clip.take(rows)
    times = [clip.times_of(track.frames) for track in clip.tracks]
    pairs = zip(clip.tracks, times, strict=True)
    parts = [track.take(_within(seconds, span)) for track, seconds in pairs]
    tracks = [track for track in parts if len(track.frames)]
    if not tracks:
        name = str(clip.source or clip.name)
        raise _nothing(name, np.concatenate(times), options.start)
    return replace(clip, tracks=tracks)


class FramePart(FrameView):
    """Frames of another source between two times; it is decoded from its beginning.

    Args:
        whole (FrameSource): The other source.
        span (tuple[float, float]): First time, and the time before which the part ends,
            in seconds.
    """

    def __init__(self, whole: FrameSource, span: tuple[float, float]) -> None:
        super().__init__(whole)
        self.span = span
        if whole.num_frames is not None:
            first, end = (round(min(x * whole.fps, whole.num_frames)) for x in span)
            self.num_frames = end - first

    def __iter__(self) -> Iterator[Frame]:
        """Read from the start of the whole."""
        skipped: list[float] = []
        count = 0
        for frame in self.whole:
            if _within(np.array(frame.time), self.span):
                count += 1
                yield replace(frame, skipped=skipped) if count == 1 else frame
            elif count:
                break
            else:
                skipped.append(frame.time)
            self.num_damaged = self.whole.num_damaged
        self.ended = self.whole.ended
        if not (count or self.ended):
            raise _nothing(self.label, np.array(skipped), self.span[0])


def _within(times: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    """Mark times (...), seconds, from the start of a span to before its end."""
    start, end = np.subtract(span, _ROUNDING)
    return (times >= start) & (times < end)


def _nothing(label: str, seconds: np.ndarray, start: float) -> ArgumentError:
    """Make the error for a part without frames; ``seconds`` (T,) are all times."""
    return ArgumentError(
        '%s: frames are from %.2f to %.2f s, none in the part that begins at {start}, '
        '%g s',
        label,
        seconds.min(),
        seconds.max(),
        start,
    )
