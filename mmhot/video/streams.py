"""Streams: webcams, network cameras, remote videos, and files played at their pace."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np

from mmhot.errors import escape
from mmhot.io.images import MAX_PIXELS, open_media
from mmhot.structures.clips import clip_name
from mmhot.video.frames import (
    DEFAULT_FPS,
    MAX_FPS,
    VideoFile,
    ffmpeg_reason,
    limit_pixels,
    pixel_aspect,
    stated_rate,
    upright,
)

_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'rtp', 'srt')
_WEBCAM = re.compile(r'\d{1,2}|/dev/video\d+')
# Seconds for opening and for the next frame before the connection counts as lost.
_STREAM_TIMEOUT = (10.0, 10.0)
_VIDEO_TIMEOUT = (10.0, 30.0)
# Consecutive damaged packets after which a stream counts as broken.
_MAX_DAMAGED = 100
# Formats whose timestamps are made up from a nominal rate: arrival times are used.
_UNTIMED = {'mpjpeg', 'mjpeg', 'h264', 'hevc', 'image2pipe', 'rawvideo'}
_LOW_DELAY = {'fflags': 'nobuffer', 'flags': 'low_delay'}


def is_url(text: str) -> bool:
    """Return whether a text is a network address."""
    scheme, separator, _ = text.partition('://')
    return bool(separator) and scheme.lower() in _SCHEMES


def is_webcam(text: str) -> bool:
    """Return whether a text is the number or device of a webcam, and not a file."""
    return bool(_WEBCAM.fullmatch(text)) and not Path(text).is_file()


def _public_url(url: str) -> str:
    """Remove user, password and query, which may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    return f'{parts.scheme}://{host}{parts.path}'


def _name_of_url(url: str) -> str:
    """Name results after the file of an address or, without one, its host."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    stem = Path(parts.path).stem or host
    return re.sub(r'[^\w.-]+', '_', stem)


class RemoteVideo(VideoFile):
    """Read a video with an end over the network; ValueError if it has none."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.label = _public_url(url)
        self.path = Path(self.label)  # not a file
        self.name = _name_of_url(url)
        self._probe()

    def _container(self):
        container = open_media(self.url, timeout=_VIDEO_TIMEOUT)
        if container.duration is None:
            container.close()
            raise ValueError(f'{self.label} is a stream without an end: run it live')
        return container


class VideoStream:
    """Read a stream with FFmpeg; it may be opened again after an interruption.

    Args:
        address (str): FFmpeg's address.
        name (str): Name of the result file.
        label (str): Name in messages, without passwords.
        format (str, optional): FFmpeg's name of the device format.
        options (dict, optional): FFmpeg's options.
        is_file (bool): Whether it is a file, which may not state its duration.
            Defaults to False.

    Attributes:
        fps (float): Nominal frames per second, once it is open.
        max_pixels (int): Larger frames are refused.
        finite (bool): Whether it is a file, to be played at its own pace; known once
            it is open.
    """

    max_pixels = MAX_PIXELS

    def __init__(
        self,
        address: str,
        name: str,
        label: str,
        format: str | None = None,
        options: dict[str, str] | None = None,
        is_file: bool = False,
    ) -> None:
        self.address = address
        self.name = name
        self.label = label
        self.format = format
        self.options = options or {}
        self.fps = DEFAULT_FPS
        self.is_file = self.finite = is_file
        self._container = None

    def open(self) -> None:
        """Connect; raises ValueError of one line if that fails."""
        self.close()
        try:
            container = open_media(
                self.address,
                format=self.format,
                options=self.options,
                timeout=_STREAM_TIMEOUT,
            )
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(
                f'{self.label} cannot be opened: {ffmpeg_reason(error)}'
            ) from error
        if not container.streams.video:
            container.close()
            raise ValueError(f'{self.label} has no video stream')
        try:
            limit_pixels(container.streams.video[0], self.max_pixels, self.label)
        except ValueError:
            container.close()
            raise
        self._container = container
        self.finite = self.is_file or container.duration is not None
        rate = stated_rate(container.streams.video[0])
        self.fps = rate if rate <= MAX_FPS else DEFAULT_FPS

    def frames(self) -> Iterator[tuple[float | None, np.ndarray]]:
        """Yield timestamps in seconds, or None, and BGR images (H, W, 3).

        Damaged frames are left out.

        Raises:
            ConnectionError: If the stream breaks; one line.
        """
        container = self._container
        stream = container.streams.video[0]
        # frame threads would delay frames
        stream.thread_type = 'AUTO' if self.finite else 'SLICE'
        timed = not set(container.format.name.split(',')) & _UNTIMED
        aspect, damaged = pixel_aspect(stream), 0
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
                    yield (frame.time if timed else None), upright(frame, aspect)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise ConnectionError(ffmpeg_reason(error)) from error

    def close(self) -> None:
        """Disconnect."""
        if self._container is not None:
            self._container.close()
            self._container = None


def open_stream(text: str) -> VideoStream:
    """Prepare a stream without connecting to it.

    Args:
        text (str): A webcam's number or device, an address (RTSP, HTTP, RTMP, UDP,
            SRT), or a video file, which is played at its own pace.

    Raises:
        FileNotFoundError: If there is no such file or webcam.
        ValueError: If webcams are not supported on this system.
    """
    if is_url(text):
        options = dict(_LOW_DELAY)
        if text.lower().startswith('rtsp'):
            # lost packets smear images, but not every server has TCP
            options['rtsp_flags'] = 'prefer_tcp'
        return VideoStream(text, _name_of_url(text), _public_url(text), None, options)
    if is_webcam(text):
        return _open_webcam(text)
    path = Path(text)
    if not path.is_file():
        raise FileNotFoundError(
            f'{text} does not exist: a stream is a webcam such as 0, an address such '
            'as rtsp://... or a video file'
        )
    address = str(path.absolute())
    return VideoStream(address, clip_name(path), escape(text), is_file=True)


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
