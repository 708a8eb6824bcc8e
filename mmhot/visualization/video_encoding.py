"""Encoding of videos frame by frame, with the audio of another video."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.io.atomic import replacing
from mmhot.io.images import MARK, open_media

# Audio codecs that an .mp4 can hold.
_AUDIO_CODECS = {'aac', 'mp3', 'mp3float', 'ac3', 'opus', 'libopus'}
# Time base, of which the frame durations of all common rates are multiples.
_TICK = Fraction(1, 90_000)
# Audio before the first frame that is kept, in seconds, for decoders to start.
_PREROLL = 0.1
# Fast settings for flat colors: half the time, 1.3 times the size.
_ENCODER = {
    'preset': 'veryfast',
    'crf': '20',
    'x264-params': 'ref=1:bframes=0:me=dia:subme=1:trellis=0:weightp=0',
}


@contextmanager
def open_video(
    path: str | Path, fps: float, audio: Path | None = None
) -> Iterator['VideoWriter']:
    """Write an H.264 video; the file is replaced when the block succeeds.

    Args:
        path (str | Path): The ``.mp4`` to create or replace.
        fps (float): Frames per second.
        audio (Path, optional): A video whose audio is copied.

    Yields:
        VideoWriter: Encodes the frames.

    Raises:
        OSError: If the file cannot be written.
    """
    with replacing(path) as temporary:
        try:
            with ExitStack() as opened:
                writer = VideoWriter(temporary, fps, _with_audio(audio), opened)
                yield writer
                writer.finish()
        except av.FFmpegError as error:
            # mostly a full disk
            raise OSError(error.errno, error.strerror) from error


class VideoWriter:
    """Encoder of :func:`open_video`.

    Attributes:
        num_frames (int): Number of written frames.
    """

    def __init__(
        self, path: Path, fps: float, audio: Path | None, opened: ExitStack
    ) -> None:
        options = {'movflags': 'faststart'}
        self._container = opened.enter_context(
            av.open(str(path), 'w', format='mp4', options=options)
        )
        self._container.metadata['comment'] = MARK
        self._audio = audio and opened.enter_context(open_media(str(audio)))
        self._fps = fps
        self._stream = self._audio_stream = None
        self._last, self._end = -1, 0.0
        self.num_frames = 0

    def write(self, image: np.ndarray, seconds: float | None = None) -> None:
        """Add a frame.

        Odd sizes are padded to even ones, which H.264 needs.

        Args:
            image (np.ndarray): BGR, uint8 (H, W, 3), of the size of the first frame.
            seconds (float, optional): Timestamp; by default one frame after the
                previous one.
        """
        height, width = image.shape[:2]
        bottom, right = height % 2, width % 2
        if bottom or right:
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        if self._stream is None:
            self._start(*image.shape[:2])
        # OpenCV converts several times faster than PyAV would.
        planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        seconds = self._end if seconds is None else seconds
        # timestamps that repeat or decrease become increasing
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
        # OpenCV's conversion; players would guess from the size.
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        self._stream = stream
        self._audio_stream = self._audio and self._container.add_stream_from_template(
            self._audio.streams.audio[0]
        )

    def finish(self) -> None:
        """Flush the encoder and copy the audio."""
        if self._stream is None:
            return
        self._container.mux(self._stream.encode())
        if self._audio:
            self._copy_audio()

    def _copy_audio(self) -> None:
        """Copy the audio between the first and the last frame."""
        video = self._audio.streams.video[0]
        begin = (video.start_time or 0) * video.time_base
        for packet in self._audio.demux(audio=0):
            if packet.dts is None:
                continue
            if -_PREROLL < packet.pts * packet.time_base - begin < self._end:
                shift = round(begin / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self._audio_stream
                self._container.mux(packet)


def _with_audio(path: Path | None) -> Path | None:
    """Return the path if it has audio that an ``.mp4`` can hold."""
    if path is None:
        return None
    try:
        with open_media(str(path)) as container:
            streams = container.streams.audio
            return path if streams and streams[0].codec.name in _AUDIO_CODECS else None
    except (av.FFmpegError, OSError):
        return None
