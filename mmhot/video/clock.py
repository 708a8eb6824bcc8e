"""Frames per second of films, and times that go on where their clocks do not."""

from itertools import islice

import av
import numpy as np

# Taken for the rate of what has none: raw streams, folders of pictures.
USUAL_RATE = 25.0
# Above, what FFmpeg guesses is how fine a clock is, not how fast a camera.
FASTEST = 240.0
# So much of a film is looked at for its rate.
_PACKETS = 600
# A stated rate that differs by less from the measured one is the exact one.
_EXACT = 0.05
# Seconds; no film stands still for longer, its clock was set anew.
_PAUSE = 60.0
# Frames; a clock that goes back further was set anew, else it is only coarse.
_BACK = 2.0
# Seconds between frames that a coarse clock gives the same time.
_INSTANT = 1e-3


def rate_of(stream: av.VideoStream) -> float:
    """Frames per second that a stream says it has, or else a usual number."""
    if stream.average_rate:
        return float(stream.average_rate)
    guess = float(stream.guessed_rate or 0)
    return guess if 0 < guess <= FASTEST else USUAL_RATE


def mean_rate(container: av.container.InputContainer) -> float:
    """Frames per second of a film, measured where its header only has a guess.

    Browsers and screen recorders write times alone, and no rate or one that is not
    kept. What is looked at is read, and not to be read from this container again.

    Args:
        container (av.container.InputContainer): The film, just opened.

    Returns:
        float: Frames per second.
    """
    stream = container.streams.video[0]
    stated = rate_of(stream)
    if 'mov' in container.format.name.split(','):
        return stated  # the mean of all frames that its table lists
    times = []
    try:
        for packet in islice(container.demux(stream), _PACKETS):
            if packet.dts is not None:
                times.append(float(packet.dts * packet.time_base))
    except (av.error.FFmpegError, OSError):
        pass  # reading it will tell
    steps = np.diff(times)
    steps = steps[(steps > 0) & (steps < _PAUSE)]
    if not len(steps):
        return stated
    measured = float(1 / steps.mean())
    return stated if abs(measured / stated - 1) < _EXACT else measured


class Clock:
    """Seconds since the first frame; every frame is later than the one before.

    Films that were joined, and cameras that were set, count anew somewhere: the frame
    after is taken to follow at the usual distance.

    Args:
        fps (float): Frames per second.
    """

    def __init__(self, fps: float) -> None:
        self._step = 1 / fps
        self._shift = self._last = None

    def __call__(self, time: float) -> float:
        """Seconds since the first frame of one that has this time."""
        if self._last is None:
            self._shift, self._last = -time, 0.0
            return self._last
        passed = time + self._shift - self._last
        if not -_BACK * self._step < passed < _PAUSE:
            self._shift += self._step - passed
            passed = self._step
        self._last += max(passed, _INSTANT)
        return self._last
