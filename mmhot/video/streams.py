"""Streams: webcams, addresses in the network, and films played as if they were one."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from mmhot.video.clock import FASTEST, USUAL_RATE, rate_of
from mmhot.video.frames import reason, upright
from mmhot.video.urls import is_url, is_webcam, name_of_url, public_url

# Seconds that opening and the next frame may take before the connection counts as lost.
_TIMEOUT = (10.0, 10.0)
# Formats whose times are made up from a nominal rate: when frames arrive says more.
_UNTIMED = {'mpjpeg', 'mjpeg', 'h264', 'hevc', 'image2pipe', 'rawvideo'}
# Decode and give every frame at once.
_LOW_DELAY = {'fflags': 'nobuffer', 'flags': 'low_delay'}


class Stream(Protocol):
    """What gives frames as they are filmed; may be opened again when it broke.

    Attributes:
        name (str): For the results' file.
        label (str): For people to read, without passwords.
        fps (float): Frames per second, as it says once it is open.
        finite (bool): Whether it is a film, which has to be played at its own pace and
            ends; known once it is open.
    """

    name: str
    label: str
    fps: float
    finite: bool

    def open(self) -> None:
        """Connect; ValueError or OSError, one line, where that fails."""
        ...

    def frames(self) -> Iterator[tuple[float | None, np.ndarray]]:
        """Times in seconds, where known, and BGR images until it ends or breaks.

        Raises:
            OSError: If it breaks, one line.
        """
        ...

    def close(self) -> None:
        """Disconnect, if it is open."""
        ...


class VideoStream:
    """A stream that FFmpeg can open.

    Args:
        address (str): What FFmpeg opens.
        name (str): For the results' file.
        label (str): For people to read.
        format (str, optional): FFmpeg's name of a device's kind.
        options (dict, optional): FFmpeg's options.
        timeout (tuple[float, float]): Seconds that opening and the next frame may
            take.
    """

    def __init__(
        self,
        address: str,
        name: str,
        label: str,
        format: str | None = None,
        options: dict[str, str] | None = None,
        timeout: tuple[float, float] = _TIMEOUT,
    ) -> None:
        self.address = address
        self.name = name
        self.label = label
        self.format = format
        self.options = options or {}
        self.timeout = timeout
        self.fps = USUAL_RATE
        self.finite = False
        self._container = None

    def open(self) -> None:
        """Connect.

        Raises:
            ValueError: If that fails or nothing can be seen there; one line.
        """
        self.close()
        try:
            container = av.open(
                self.address,
                format=self.format,
                options=self.options,
                timeout=self.timeout,
            )
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(
                f'{self.label} cannot be opened: {reason(error)}'
            ) from error
        if not container.streams.video:
            container.close()
            raise ValueError(f'{self.label} has no video in it')
        self._container = container
        self.finite = container.duration is not None
        rate = rate_of(container.streams.video[0])
        self.fps = rate if rate <= FASTEST else USUAL_RATE

    def frames(self) -> Iterator[tuple[float | None, np.ndarray]]:
        """Decode until the stream ends or breaks.

        Yields:
            tuple[float | None, np.ndarray]: Seconds on the stream's clock, if it has
            one, and the picture, BGR uint8 (H, W, 3).

        Raises:
            ConnectionError: If it breaks; one line.
        """
        container = self._container
        stream = container.streams.video[0]
        # threads that decode several frames at once would hold frames back
        stream.thread_type = 'AUTO' if self.finite else 'SLICE'
        timed = not set(container.format.name.split(',')) & _UNTIMED
        aspect = stream.sample_aspect_ratio
        try:
            for frame in container.decode(stream):
                yield (frame.time if timed else None), upright(frame, aspect)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise ConnectionError(reason(error)) from error

    def close(self) -> None:
        """Disconnect."""
        if self._container is not None:
            self._container.close()
            self._container = None


def open_stream(text: str) -> VideoStream:
    """Name a stream as users do; nothing is connected yet.

    Args:
        text (str): A webcam's number or device, an address (RTSP, HTTP, RTMP, UDP,
            SRT), or a video file, which is played at its own pace.

    Returns:
        VideoStream: To be opened.

    Raises:
        FileNotFoundError: If there is no such file or webcam.
        ValueError: If this system's webcams are not known.
    """
    if is_url(text):
        options = dict(_LOW_DELAY)
        if text.lower().startswith('rtsp'):
            # lost packets smear pictures, but not every server has TCP
            options['rtsp_flags'] = 'prefer_tcp'
        return VideoStream(text, name_of_url(text), public_url(text), None, options)
    if is_webcam(text):
        return _webcam(text)
    path = Path(text)
    if not path.is_file():
        raise FileNotFoundError(
            f'{text} does not exist: --live takes a webcam such as 0, an address such '
            'as rtsp://... or a video file'
        )
    return VideoStream(text, path.stem, text)


def _webcam(text: str) -> VideoStream:
    if not sys.platform.startswith('linux'):
        raise ValueError(
            f'webcam {text}: webcams are read on Linux only; serve it as a stream '
            'and give its address'
        )
    device = f'/dev/video{text}' if text.isdecimal() else text
    if not Path(device).exists():
        there = ', '.join(sorted(map(str, Path('/dev').glob('video*')))) or 'none'
        raise FileNotFoundError(
            f'there is no webcam {text}: {device} does not exist (there: {there})'
        )
    name = f'webcam{Path(device).name.removeprefix("video")}'
    return VideoStream(device, name, f'webcam {device}', 'v4l2')
