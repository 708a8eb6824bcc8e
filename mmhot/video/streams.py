"""Streams: webcams, network cameras, and files played at their pace."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from mmhot.io.images import open_media
from mmhot.video.frames import (
    DEFAULT_FPS,
    MAX_FPS,
    Frame,
    FrameSource,
    VideoFile,
    ffmpeg_reason,
    is_url,
    limit_pixels,
    name_of_url,
    pixel_aspect,
    public_url,
    stated_rate,
    upright,
)

_WEBCAM = re.compile(r'\d{1,2}|/dev/video\d+')
# Seconds for opening and for the next frame before the connection counts as lost.
_TIMEOUT = (10.0, 10.0)
# Consecutive damaged packets after which a stream counts as broken.
_MAX_DAMAGED = 100
# Formats whose timestamps are made up from a nominal rate: arrival times are used.
_UNTIMED = {'mpjpeg', 'mjpeg', 'h264', 'hevc', 'image2pipe', 'rawvideo'}
_LOW_DELAY = {'fflags': 'nobuffer', 'flags': 'low_delay'}


def is_webcam(text: str) -> bool:
    """Return whether a text is the number or device of a webcam, and not a file."""
    return bool(_WEBCAM.fullmatch(text)) and not Path(text).is_file()


class VideoStream(FrameSource):
    """Read a stream without an end with FFmpeg, from its newest frame on.

    It may be opened again after an interruption. The frames of one connection are
    iterated over, with the timestamps of the stream; damaged ones are left out, and a
    ConnectionError of one line is raised if it breaks.

    Args:
        address (str): FFmpeg's address.
        name (str): Name of the result file.
        label (str): Name in messages, without passwords.
        format (str, optional): FFmpeg's name of the device format.
        options (dict, optional): FFmpeg's options.
    """

    finite = False

    def __init__(
        self,
        address: str,
        name: str,
        label: str,
        format: str | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        super().__init__(name, Path(label), DEFAULT_FPS)
        self.address, self.label = address, label
        self._settings = {'format': format, 'options': options or {}}
        self._container = None

    def open(self) -> None:
        """Connect; raises ValueError of one line if that fails."""
        self.close()
        try:
            self._container = open_media(
                self.address, timeout=_TIMEOUT, **self._settings
            )
            if not self._container.streams.video:
                raise ValueError(f'{self.label} has no video stream')
            if self._container.duration is not None:
                raise ValueError(f'{self.label} is a video with an end: lift it as one')
            stream = self._container.streams.video[0]
            limit_pixels(stream, self.max_pixels, self.label)
        except ValueError:
            self.close()
            raise
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(
                f'{self.label} cannot be opened: {ffmpeg_reason(error)}'
            ) from error
        rate = stated_rate(stream)
        self.fps = rate if rate <= MAX_FPS else DEFAULT_FPS

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames of this connection."""
        container = self._container
        stream = container.streams.video[0]
        stream.thread_type = 'SLICE'  # frame threads would delay frames
        timed = not set(container.format.name.split(',')) & _UNTIMED
        aspect, index, damaged = pixel_aspect(stream), 0, 0
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                    damaged = 0
                except av.error.InvalidDataError:
                    damaged += 1
                    if damaged > _MAX_DAMAGED:
                        raise
                    continue
                for frame in frames:
                    known = timed and frame.time is not None
                    time = frame.time if known else np.nan
                    yield Frame(index, time, upright(frame, aspect))
                    index += 1
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise ConnectionError(ffmpeg_reason(error)) from error

    def close(self) -> None:
        """Disconnect."""
        if self._container is not None:
            self._container.close()
            self._container = None


def open_stream(text: str) -> VideoStream | VideoFile:
    """Prepare a stream without connecting to it.

    Args:
        text (str): A webcam's number or device, an address (RTSP, HTTP, RTMP, UDP,
            SRT), or a video file, which is played at its own pace.

    Raises:
        FileNotFoundError: If there is no such file or webcam.
        ValueError: If a file is not a video, or webcams are not supported here.
    """
    if is_url(text):
        options = dict(_LOW_DELAY)
        if text.lower().startswith('rtsp'):
            # lost packets smear images, but not every server has TCP
            options['rtsp_flags'] = 'prefer_tcp'
        return VideoStream(text, name_of_url(text), public_url(text), None, options)
    if is_webcam(text):
        return _open_webcam(text)
    if not Path(text).is_file():
        raise FileNotFoundError(
            f'{text} does not exist: a stream is a webcam such as 0, an address such '
            'as rtsp://... or a video file'
        )
    return VideoFile(text)


def _open_webcam(text: str) -> VideoStream:
    if not sys.platform.startswith('linux'):
        raise ValueError(
            f'webcam {text}: webcams are read on Linux only; serve it as a stream '
            'and give its address'
        )
    device = f'/dev/video{text}' if text.isdecimal() else text
    if not Path(device).exists():
        known = ', '.join(sorted(map(str, Path('/dev').glob('video*')))) or 'none'
        raise FileNotFoundError(
            f'there is no webcam {text}: {device} does not exist (found: {known})'
        )
    name = f'webcam{Path(device).name.removeprefix("video")}'
    return VideoStream(device, name, f'webcam {device}', 'v4l2')
