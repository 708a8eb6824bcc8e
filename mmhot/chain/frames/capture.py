"""Frames read in a thread: ahead, or the newest of a stream, with reconnection."""

import math
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mmhot.chain.frames.sources import Frame, FrameSource

T = TypeVar('T')
_WAIT = 1.0  # seconds before each attempt to reconnect
# Seconds by which timestamps may differ from arrival times. A larger difference is a
# clock that was set, or another connection. 1 to 20 are as good in the tests.
_MAX_DRIFT = 2.0
_MIN_STEP = 1e-3  # seconds between frames of the same timestamp
_POLL = 0.1  # seconds between checks whether iterating was stopped


def prefetch(frames: Iterable[T], count: int = 4) -> Generator[T, None, None]:
    """Read items ahead in a thread.

    Args:
        frames (Iterable): Frames, or any items that are not None.
        count (int): Items that are read ahead, at most. Defaults to 4.

    Yields:
        The items in their order. Errors of the thread are raised here.
    """
    unread = iter(frames)
    pool = ThreadPoolExecutor(1)
    try:
        ahead = deque(pool.submit(next, unread, None) for _ in range(count))
        while (frame := ahead.popleft().result()) is not None:
            ahead.append(pool.submit(next, unread, None))
            yield frame
    finally:
        pool.shutdown(cancel_futures=True)


class Capture:
    """Capture the newest frame of a stream, and reconnect when it breaks.

    A thread reads frames. A frame that was not used is replaced by the next one, so
    that a slow consumer skips frames and does not fall behind. Iterating yields frames,
    and the reason as text when the connection is lost, for example after ten seconds
    without a frame. The ``index`` of frames counts dropped frames, too. A video file is
    played at its own pace.

    Args:
        stream (FrameSource): The stream, or a file.
        reconnect (float): Seconds for which reconnecting is tried. Defaults to 60.
        duration (float, optional): Seconds after which to stop; no limit by default.
        stop (threading.Event, optional): Ends the iteration when it is set.
    """

    def __init__(
        self,
        stream: FrameSource,
        reconnect: float = 60.0,
        duration: float | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.stream = stream
        self.reconnect = reconnect
        self.duration = duration or math.inf
        self.stop = stop or threading.Event()
        self.seen = 0  # frames that arrived
        self.dropped = 0  # frames that were replaced by newer ones
        self.ended: str | None = None  # reason of the end, unless it was asked to stop
        # Frames, reasons, and None at the end
        self._items: deque[Frame | str | None] = deque()
        self._failure: Exception | None = None  # error of the thread
        self._changed = threading.Condition()
        self._start = time.monotonic()
        self._shift = math.inf  # seconds that are added to timestamps
        self._last = -1.0  # time of the last frame in seconds; negative before it

    def __iter__(self) -> Iterator[Frame | str]:
        """Yield frames until the stream has ended or is stopped."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        end = time.monotonic() + self.duration
        try:
            while not self.stop.is_set() and time.monotonic() < end:
                with self._changed:
                    if not self._changed.wait_for(lambda: self._items, _POLL):
                        continue
                    item = self._items.popleft()
                if item is None:
                    break
                yield item
        finally:
            self.stop.set()
            # A thread that waits for the network ends on its own.
            thread.join(timeout=1.0)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        """Read and reconnect; runs in the thread."""
        try:
            self._reconnect()
        except Exception as error:  # raised where frames are consumed
            self._failure = error
        self._put(None)

    def _reconnect(self) -> None:
        """Read until the stream ends, is stopped, or is lost for too long."""
        seen = -1  # frames that had arrived when the stream was lost before
        while not self.stop.is_set():
            reason = self._read()
            if self.stop.is_set():
                return
            if self.stream.finite:
                self.ended = reason
                return
            reason = reason or 'it ended'
            is_new = self.seen > seen
            if is_new:
                seen = self.seen
                lost_at = time.monotonic()
            if time.monotonic() + _WAIT - lost_at > self.reconnect:
                self.ended = (
                    f'{self.stream.label}: lost for {self.reconnect:g} s, given up: '
                    f'{reason}'
                )
                return
            if is_new:
                self._put(reason)
            self.stop.wait(_WAIT)

    def _read(self) -> str | None:
        """Connect and read until the stream ends or is stopped (None) or breaks."""
        start = time.monotonic()
        try:
            for frame in self.stream:
                if self.stream.finite:
                    self.stop.wait(max(0, start + frame.time - time.monotonic()))
                if self.stop.is_set():
                    break
                arrived = time.monotonic()
                moment = self._time_of(frame, arrived - self._start)
                self._put(Frame(self.seen, moment, frame.image, arrived=arrived))
        except OSError as error:
            return str(error)
        return self.stream.ended

    def _put(self, item: Frame | str | None) -> None:
        """Queue an item; a frame replaces the waiting frame."""
        with self._changed:
            if isinstance(item, Frame):
                self.seen += 1
                if self._items and isinstance(self._items[-1], Frame):
                    self._items.pop()
                    self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()

    def _time_of(self, frame: Frame, elapsed: float) -> float:
        """Convert a timestamp to increasing seconds since the first frame.

        ``elapsed`` is the arrival in seconds since the start. It replaces timestamps
        that are missing, and restarts the clock after timestamps were reset.
        """
        if self._last < 0:
            self._start += elapsed
            elapsed = 0.0
        stamp = elapsed if math.isnan(frame.time) else frame.time
        if not abs(stamp + self._shift - elapsed) < _MAX_DRIFT:
            self._shift = elapsed - stamp
        self._last = max(stamp + self._shift, self._last + _MIN_STEP)
        return self._last
