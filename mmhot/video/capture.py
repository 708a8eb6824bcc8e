"""Reads a stream as it comes: the newest frames, whatever happens to the connection."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmhot.video.frames import Frame
from mmhot.video.streams import Stream

# Seconds from one try to connect again to the next: the first, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0
# Seconds by which a stream's clock may run ahead of ours from one frame to the next.
_JUMP = 1.0
# Seconds in which the consumer looks whether it was told to stop.
_LOOK = 0.1


@dataclass
class LiveFrame(Frame):
    """A frame of a stream; ``index`` counts those that were dropped, too.

    Attributes:
        arrived (float): When it came, seconds on :func:`time.monotonic`'s clock.
        connection (int): How often the stream had been connected again.
    """

    arrived: float = 0.0
    connection: int = 0


@dataclass
class Interruption:
    """A stream has stopped for now.

    Attributes:
        reason (str): Why, one line.
    """

    reason: str


class Capture:
    """Frames of a stream, dropping what nobody had time for.

    A thread reads; of what waits, only the newest frames are kept, so that a slow
    consumer leaves frames out and does not fall behind. A stream that breaks is
    connected again, first after half a second, then after up to ten. Iterating gives
    a :class:`LiveFrame` each, and one :class:`Interruption` whenever nothing comes for
    a while.

    Args:
        stream (Stream): What to read.
        reconnect (float): Seconds for which a lost stream is tried again; 0 for not at
            all. Defaults to 60.
        stall (float): Seconds without a frame after which the stream counts as
            interrupted. Defaults to 2.
        keep (int): Frames that may wait; each makes a slow consumer later by one frame
            of the stream, and lets it bear frames that come in bursts. Defaults to 3.
        duration (float, optional): Seconds after which to stop.

    Attributes:
        seen (int): Frames that came.
        dropped (int): Those of them that were left out.
        reconnects (int): How often the stream was there again after it was lost.
        ended (str | None): Once iterating stopped: why, if not as it was wanted.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        stream: Stream,
        reconnect: float = 60.0,
        stall: float = 2.0,
        keep: int = 3,
        duration: float | None = None,
    ) -> None:
        if not reconnect >= 0:
            raise ValueError(f'reconnect must be at least 0 seconds, got {reconnect}')
        if not stall > 0:
            raise ValueError(f'stall must be above 0 seconds, got {stall}')
        if keep < 1:
            raise ValueError(f'keep must be at least 1 frame, got {keep}')
        if duration is not None and not duration > 0:
            raise ValueError(f'duration must be above 0 seconds, got {duration}')
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
        self._why = ''
        self._failure: Exception | None = None
        self._clock = _Clock()
        self._thread = threading.Thread(target=self._read_on, daemon=True)

    def __enter__(self) -> 'Capture':
        """Connect, and begin to read.

        Raises:
            ValueError: If there is nothing to connect to; OSError likewise.
        """
        self.stream.open()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop reading; a thread that waits for the network ends by itself."""
        self.stop()
        self._thread.join(timeout=1.0)
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        if not self._thread.is_alive():
            self.stream.close()

    def stop(self) -> None:
        """Let iterating end; from any thread, and from signal handlers."""
        self._stop.set()

    def __iter__(self) -> Iterator[LiveFrame | Interruption]:
        """Give frames until the stream has ended or somebody stops it."""
        began = last = time.monotonic()
        told, connection = False, 0
        while not self._stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._done, _LOOK)
                frame = self._waiting.popleft() if self._waiting else None
                lost, done = self._lost, self._done
            now = time.monotonic()
            if frame is not None:
                if frame.connection != connection and not told:
                    yield Interruption(self._why)
                last, told, connection = now, False, frame.connection
                yield frame
            elif not told and (lost or (not done and now - last > self.stall)):
                told = True
                yield Interruption(lost or f'no frame for {self.stall:g} s')
            elif done:
                break
            if self.duration is not None and now - began >= self.duration:
                break
        self.stop()
        if self._failure is not None:
            raise self._failure

    def _read_on(self) -> None:
        """What the thread does."""
        try:
            lost_at, wait = None, _FIRST_WAIT
            while True:
                seen = self.seen
                reason = self._read()
                if self._stop.is_set() or self.stream.finite:
                    self.ended = None if reason is None else self._name(reason)
                    return
                if self.seen > seen or lost_at is None:
                    lost_at, wait = time.monotonic(), _FIRST_WAIT
                reason = reason or 'it ended'
                if self.reconnect:
                    self._lost = reason
                wait = self._connect_again(lost_at, wait, reason)
                if wait is None:
                    return
        except Exception as error:  # for whoever iterates
            self._failure = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _read(self) -> str | None:
        """Read until the stream ends (None), breaks (why), or is not wanted."""
        start = None
        try:
            for stamp, image in self.stream.frames():
                if self.stream.finite and stamp is not None:
                    start = time.monotonic() - stamp if start is None else start
                    self._stop.wait(max(0, start + stamp - time.monotonic()))
                if self._stop.is_set():
                    return None
                self._put(stamp, image)
        except OSError as error:
            return str(error)
        return None

    def _put(self, stamp: float | None, image: np.ndarray) -> None:
        """Take a frame, and drop the oldest if too many wait."""
        arrived = time.monotonic()
        with self._changed:
            if self._lost is not None:
                self.reconnects += 1
                self._why, self._lost = self._lost, None
                self._clock.forget()
            self.dropped += len(self._waiting) == self._waiting.maxlen
            moment = self._clock.tell(stamp, arrived)
            frame = LiveFrame(self.seen, moment, image, arrived, self.reconnects)
            self._waiting.append(frame)
            self.seen += 1
            self._changed.notify_all()

    def _connect_again(self, lost_at: float, wait: float, reason: str) -> float | None:
        """Try until it works; how long to wait next time, None if it is given up."""
        while time.monotonic() + wait - lost_at <= self.reconnect:
            if self._stop.wait(wait):
                return None
            wait = min(2 * wait, _LONGEST_WAIT)
            try:
                self.stream.open()
                return wait
            except (ValueError, OSError) as error:
                reason = str(error)
        self.ended = self._name(f'lost for {self.reconnect:g} s, given up: {reason}')
        return None

    def _name(self, reason: str) -> str:
        """Say whom it is about, once."""
        label = self.stream.label
        return reason if label in reason else f'{label}: {reason}'


class _Clock:
    """Seconds since the first frame, by a stream's own clock as long as that runs."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._stamp: float | None = None
        self._arrived = 0.0

    def tell(self, stamp: float | None, arrived: float) -> float:
        """Time of a frame, later than that of the frame before."""
        waited = arrived - self._arrived
        step = waited
        if stamp is not None and self._stamp is not None:
            step = stamp - self._stamp
            if not 0 < step <= waited + _JUMP:
                step = waited  # their clock was set
        self._time = 0.0 if self._time is None else self._time + max(step, 1e-3)
        self._stamp, self._arrived = stamp, arrived
        return self._time

    def forget(self) -> None:
        """Do not compare the next stamp with the last one: another clock began."""
        self._stamp = None
