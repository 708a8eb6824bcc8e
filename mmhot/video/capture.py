"""Frames read in a thread: ahead, or live with reconnection and latency."""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from mmhot.video.frames import Frame, VideoFile
from mmhot.video.streams import VideoStream

# Seconds between attempts to reconnect: the first time, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0
# Seconds by which timestamps may run ahead of arrival times between two frames.
_MAX_LEAD = 1.0
# Seconds between checks whether iterating was stopped.
_POLL = 0.1


def prefetch(frames: Iterable[Frame], count: int = 4) -> Iterator[Frame]:
    """Read up to ``count`` frames ahead in a thread; its errors are raised here."""
    read: queue.Queue = queue.Queue(count)
    stopped = threading.Event()

    def put(item: Frame | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                read.put(item, timeout=_POLL)
                return

    def run() -> None:
        try:
            for frame in frames:
                put(frame)
                if stopped.is_set():
                    return
        except BaseException as error:
            put(error)
        put(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (item := read.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


@dataclass
class LiveFrame(Frame):
    """A frame of a stream; ``index`` counts dropped frames, too.

    Attributes:
        arrived (float): Arrival, seconds of :func:`time.monotonic`.
        connection (int): Reconnections before it.
    """

    arrived: float = 0.0
    connection: int = 0


@dataclass
class Interruption:
    """An interruption of a stream, with a reason of one line."""

    reason: str


class Capture:
    """Capture the newest frames of a stream and reconnect when it breaks.

    A thread reads frames into a short queue, so that a slow consumer skips frames
    rather than falls behind. Iterating yields a :class:`LiveFrame` each, and one
    :class:`Interruption` when no frame arrives for a while.

    Args:
        stream (VideoStream | VideoFile): The stream, or a file to be played.
        reconnect (float): Seconds for which reconnecting is tried, 0 for never.
            Defaults to 60.
        stall (float): Seconds without a frame that count as an interruption. Defaults
            to 2.
        keep (int): Length of the queue: tolerates bursts of as many frames, and delays
            a slow consumer by as many. Defaults to 3.
        duration (float, optional): Seconds after which to stop.

    Attributes:
        seen (int): Frames that arrived.
        dropped (int): Frames of these that were skipped.
        reconnects (int): Successful reconnections.
        ended (str | None): After iterating: why, unless it was asked to stop.
    """

    def __init__(
        self,
        stream: VideoStream | VideoFile,
        reconnect: float = 60.0,
        stall: float = 2.0,
        keep: int = 3,
        duration: float | None = None,
    ) -> None:
        self.stream = stream
        self.reconnect = reconnect
        self.stall = stall
        self.duration = duration
        self.seen = self.dropped = self.reconnects = 0
        self.ended: str | None = None
        self._waiting: deque[LiveFrame] = deque(maxlen=keep)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._done = False
        self._lost: str | None = None
        self._last_loss = ''
        self._failure: Exception | None = None
        self._clock = _StreamClock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> 'Capture':
        """Connect and start reading; raises ValueError or OSError if that fails."""
        if not self.stream.finite:
            self.stream.open()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop reading; a thread that waits for the network ends on its own."""
        self.stop()
        self._thread.join(timeout=1.0)
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        if not self._thread.is_alive() and not self.stream.finite:
            self.stream.close()

    def stop(self) -> None:
        """Stop iterating; may be called from other threads and signal handlers."""
        self._stop.set()

    def __iter__(self) -> Iterator[LiveFrame | Interruption]:
        """Yield frames until the stream has ended or :meth:`stop` is called."""
        began = last = time.monotonic()
        interrupted, connection = False, 0
        while not self._stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._done, _POLL)
                frame = self._waiting.popleft() if self._waiting else None
                lost, done = self._lost, self._done
            now = time.monotonic()
            if frame is not None:
                if frame.connection != connection and not interrupted:
                    yield Interruption(self._last_loss)
                last, interrupted, connection = now, False, frame.connection
                yield frame
            elif not interrupted and (lost or (not done and now - last > self.stall)):
                interrupted = True
                yield Interruption(lost or f'no frame for {self.stall:g} s')
            elif done:
                break
            if self.duration is not None and now - began >= self.duration:
                break
        self.stop()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        """Read and reconnect; runs in the thread."""
        try:
            lost_at, wait = None, _FIRST_WAIT
            while True:
                seen = self.seen
                reason = self._read()
                if self._stop.is_set() or self.stream.finite:
                    self.ended = None if reason is None else self._label(reason)
                    return
                if self.seen > seen or lost_at is None:
                    lost_at, wait = time.monotonic(), _FIRST_WAIT
                reason = reason or 'it ended'
                if self.reconnect:
                    self._lost = reason
                wait = self._connect_again(lost_at, wait, reason)
                if wait is None:
                    return
        except Exception as error:  # raised where frames are consumed
            self._failure = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _read(self) -> str | None:
        """Read until the stream ends or is stopped (None), or breaks (the reason)."""
        start = None
        try:
            for frame in self.stream:
                if self.stream.finite:
                    start = time.monotonic() - frame.time if start is None else start
                    self._stop.wait(max(0, start + frame.time - time.monotonic()))
                if self._stop.is_set():
                    return None
                self._put(frame)
        except OSError as error:
            return str(error)
        return self.stream.ended

    def _put(self, frame: Frame) -> None:
        """Queue a frame; the oldest is dropped from a full queue."""
        arrived = time.monotonic()
        with self._changed:
            if self._lost is not None:
                self.reconnects += 1
                self._last_loss, self._lost = self._lost, None
                self._clock.reset()
            self.dropped += len(self._waiting) == self._waiting.maxlen
            stamp = None if math.isnan(frame.time) else frame.time
            moment = self._clock(stamp, arrived)
            self._waiting.append(
                LiveFrame(self.seen, moment, frame.image, arrived, self.reconnects)
            )
            self.seen += 1
            self._changed.notify_all()

    def _connect_again(self, lost_at: float, wait: float, reason: str) -> float | None:
        """Reconnect; returns the next waiting time, or None when giving up."""
        while time.monotonic() + wait - lost_at <= self.reconnect:
            if self._stop.wait(wait):
                return None
            wait = min(2 * wait, _LONGEST_WAIT)
            try:
                self.stream.open()
                return wait
            except (ValueError, OSError) as error:
                reason = str(error)
        self.ended = self._label(f'lost for {self.reconnect:g} s, given up: {reason}')
        return None

    def _label(self, reason: str) -> str:
        """Put the stream's label before a reason that lacks it."""
        label = self.stream.label
        return reason if label in reason else f'{label}: {reason}'


class _StreamClock:
    """Convert timestamps of a stream to seconds since the first frame.

    Arrival times replace timestamps that are missing or were reset.
    """

    def __init__(self) -> None:
        self._time: float | None = None
        self._stamp: float | None = None
        self._arrived = 0.0

    def __call__(self, stamp: float | None, arrived: float) -> float:
        """Convert the timestamp of the next frame."""
        waited = arrived - self._arrived
        step = waited
        if stamp is not None and self._stamp is not None:
            step = stamp - self._stamp
            if not 0 < step <= waited + _MAX_LEAD:
                step = waited  # the camera's clock was set
        self._time = 0.0 if self._time is None else self._time + max(step, 1e-3)
        self._stamp, self._arrived = stamp, arrived
        return self._time

    def reset(self) -> None:
        """Start with the timestamps of another connection."""
        self._stamp = None
