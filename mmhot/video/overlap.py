"""Two chunks of a video at once: one is tracked while those before it are filled."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from mmhot.video.cache import ClipPeople
from mmhot.video.capture import prefetch
from mmhot.video.frames import Frame, FrameSource
from mmhot.video.people import FrameObserver, People

Observers = Sequence[FrameObserver]

# Chunks that wait to be filled, or are being filled.
_MOST_WAITING = 2


@dataclass
class _Chunk:
    """Frames, the people of those that are known, and of all in the future."""

    frames: list[Frame]
    known: dict[int, People]
    people: 'Future[list[People]]'


class ChunkFiller:
    """Append the people of consecutive chunks to a clip, filling them in a thread.

    Args:
        clip (ClipPeople): The clip.
        in_thread (bool): Whether to fill in a thread; else at once.
        done (Callable): Called with the frames of each chunk that was appended.
    """

    def __init__(
        self, clip: ClipPeople, in_thread: bool, done: Callable[[list[Frame]], None]
    ) -> None:
        self._clip, self._done = clip, done
        self._waiting: deque[_Chunk] = deque()
        self._pool = ThreadPoolExecutor(1, 'fill') if in_thread else None

    def __enter__(self) -> 'ChunkFiller':
        return self

    def __exit__(self, *error: object) -> None:
        """Append what is filled already if interrupted, else everything."""
        try:
            while self._waiting and (error[0] is None or self._is_filled()):
                self._append_first()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def add(
        self,
        frames: list[Frame],
        known: dict[int, People],
        fill: Callable[[], list[People]],
    ) -> None:
        """Append a chunk, perhaps later.

        Args:
            frames (list[Frame]): Its frames, which follow those of the last chunk.
            known (dict[int, People]): People of frame numbers that are known already.
            fill (Callable): Returns the people of all its frames.
        """
        while len(self._waiting) >= _MOST_WAITING:
            self._append_first()
        if self._pool is None:
            future: Future[list[People]] = Future()
            future.set_result(fill())
        else:
            future = self._pool.submit(fill)
        self._waiting.append(_Chunk(frames, known, future))
        while self._waiting and self._is_filled():
            self._append_first()

    def people(self, index: int) -> People:
        """Return the people of an earlier frame, as soon as they are known."""
        for chunk in self._waiting:
            if index in chunk.known:
                return chunk.known[index]
        while index >= len(self._clip.people):
            self._append_first()
        return self._clip.people[index]

    def _is_filled(self) -> bool:
        return self._waiting[0].people.done()

    def _append_first(self) -> None:
        chunk = self._waiting[0]
        self._clip.people += chunk.people.result()
        self._clip.times += [frame.time for frame in chunk.frames]
        self._waiting.popleft()
        self._done(chunk.frames)


def show_again(
    source: FrameSource,
    clip: ClipPeople,
    observer: FrameObserver,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Read a video another time, for an observer alone."""
    with closing(prefetch(source)) as frames:
        for done, (_, frame) in enumerate(zip(clip.people, frames, strict=False), 1):
            show_frames([frame], clip, [observer])
            progress(done)


def show_frames(frames: list[Frame], clip: ClipPeople, observers: Observers) -> None:
    """Pass frames with their people, which the clip has, on to observers."""
    for frame in frames:
        people, is_cut = clip.people[frame.index], frame.index in (0, *clip.cuts)
        for observer in observers:
            observer.observe(frame.index, frame.image, people, is_cut)
