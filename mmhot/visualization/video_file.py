"""Writing videos picture by picture."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.io.atomic import replacing

# Kinds of sound that are copied as they are.
_SOUNDS = {'aac', 'mp3', 'mp3float', 'ac3', 'opus', 'libopus'}
# Of which all usual rates have a whole number.
_TICK = Fraction(1, 90_000)
# Seconds of sound before the first picture that are kept: decoders need some.
_WARM_UP = 0.1
# Flat colors need no thorough search; this halves the time at 1.3 times the size.
_ENCODER = {
    'preset': 'veryfast',
    'crf': '20',
    'x264-params': 'ref=1:bframes=0:me=dia:subme=1:trellis=0:weightp=0',
}


@contextmanager
def open_video(
    path: str | Path, fps: float, film: Path | None = None
) -> Iterator['VideoWriter']:
    """Write H.264 that every player shows; the file appears when all is written.

    Args:
        path (str | Path): The ``.mp4`` to create or replace.
        fps (float): Frames per second.
        film (Path, optional): A video whose sound is copied.

    Yields:
        VideoWriter: Takes the pictures.

    Raises:
        OSError: If the file cannot be written.
    """
    with replacing(path) as temporary:
        try:
            with ExitStack() as opened:
                writer = VideoWriter(temporary, fps, _sound(film), opened)
                yield writer
                writer.finish()
        except av.FFmpegError as error:
            # Neither a user's nor a programmer's mistake: disk full, above all.
            raise OSError(error.errno, error.strerror) from error


class VideoWriter:
    """Takes the pictures of :func:`open_video`.

    Attributes:
        num_frames (int): How many were written.
    """

    def __init__(
        self, path: Path, fps: float, sound: Path | None, opened: ExitStack
    ) -> None:
        options = {'movflags': 'faststart'}
        self._container = opened.enter_context(
            av.open(str(path), 'w', format='mp4', options=options)
        )
        self._audio = sound and opened.enter_context(av.open(str(sound)))
        self._fps = fps
        self._stream = self._track = None
        self._last, self._end = -1, 0.0
        self.num_frames = 0

    def write(self, picture: np.ndarray, seconds: float | None = None) -> None:
        """Add a picture; all are as large as the first.

        Rows and columns beyond an even number are repeated, as H.264 needs it.

        Args:
            picture (np.ndarray): (H, W, 3) uint8 BGR.
            seconds (float, optional): When it is shown; by default one frame after
                the picture before.
        """
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            odd = (0, height % 2, 0, width % 2)
            picture = cv2.copyMakeBorder(picture, *odd, cv2.BORDER_REPLICATE)
        if self._stream is None:
            self._start(*picture.shape[:2])
        # OpenCV converts several times faster than PyAV would.
        planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        seconds = self._end if seconds is None else seconds
        # films whose times stand still or go back are shown frame by frame all the same
        self._last = max(round(seconds / _TICK), self._last + 1)
        frame.pts, frame.time_base = self._last, _TICK
        self._container.mux(self._stream.encode(frame))
        self._end = seconds + 1 / self._fps
        self.num_frames += 1

    def _start(self, height: int, width: int) -> None:
        rate = Fraction(float(self._fps)).limit_denominator(1001)
        stream = self._container.add_stream('libx264', rate=rate)
        stream.height, stream.width = height, width
        stream.pix_fmt = 'yuv420p'
        stream.time_base = stream.codec_context.time_base = _TICK
        stream.options = dict(_ENCODER)
        # What OpenCV converts to; players would guess from the size.
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        self._stream = stream
        self._track = self._audio and self._container.add_stream_from_template(
            self._audio.streams.audio[0]
        )

    def finish(self) -> None:
        """Write what the encoder still holds, and the sound."""
        if self._stream is None:
            return
        self._container.mux(self._stream.encode())
        if self._audio:
            self._copy_sound()

    def _copy_sound(self) -> None:
        """Copy what is heard while there are pictures, as long after the first."""
        pictures = self._audio.streams.video[0]
        begin = (pictures.start_time or 0) * pictures.time_base
        for packet in self._audio.demux(audio=0):
            if packet.dts is None:
                continue
            if -_WARM_UP < packet.pts * packet.time_base - begin < self._end:
                shift = round(begin / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self._track
                self._container.mux(packet)


def _sound(film: Path | None) -> Path | None:
    """The film itself if it has sound that fits into an ``.mp4``."""
    if film is None:
        return None
    try:
        with av.open(str(film)) as container:
            streams = container.streams.audio
            return film if streams and streams[0].codec.name in _SOUNDS else None
    except (av.FFmpegError, OSError):
        return None
