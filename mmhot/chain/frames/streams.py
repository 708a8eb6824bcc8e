"""Streams: webcams, network cameras, and files played at their pace."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmhot.chain.frames import decoding
from mmhot.chain.frames.decoding import Address
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.frames.sources import DEFAULT_FPS, Frame, FrameSource

_WEBCAM = re.compile(r'\d{1,2}|/dev/video\d+')
# Seconds for opening, and for the next frame, before the connection counts as lost
_TIMEOUT = (10.0, 10.0)


def is_webcam(text: str) -> bool:
    """Return whether a text is the number or device of a webcam, and not a file."""
    return bool(_WEBCAM.fullmatch(text)) and not Path(text).is_file()


class VideoStream(FrameSource):
    """Read a stream without an end with FFmpeg, from its newest frame on.

    Each iteration connects and yields frames with the timestamps of the stream, NaN
    where it has none. Damaged frames are left out.

    Args:
        address (Address): Where it is.
        **settings (Any): Arguments of ``av.open``.

    Raises:
        ConnectionError: If it cannot be opened, and when it breaks while it is read.
    """

    finite = False

    def __init__(self, address: Address, **settings: Any) -> None:
        super().__init__(address.name, Path(address.label), DEFAULT_FPS)
        self.label = address.label  # a path has one slash after rtsp:
        self._address = address
        self._settings = settings
        with self._open() as container:
            rate = decoding.stated_rate(container)
            self.fps = rate if rate <= decoding.MAX_FPS else DEFAULT_FPS

    def __iter__(self) -> Iterator[Frame]:
        """Connect and decode."""
        with self._open() as container:
            # Arrival times replace timestamps that FFmpeg makes up from a nominal rate.
            is_timed = not decoding.is_raw(container)
            # Decoding frames in several threads would delay them.
            items = decoding.decode(container, self.label, 'SLICE')
            for index, item in enumerate(items):
                if isinstance(item, Exception):
                    if not isinstance(item, av.error.InvalidDataError):
                        raise ConnectionError(decoding.ffmpeg_reason(item)) from item
                    continue
                frame, image = item
                is_known = is_timed and frame.time is not None
                yield Frame(index, frame.time if is_known else np.nan, image)

    def _open(self) -> av.container.InputContainer:
        """Connect to the stream."""
        settings = dict(self._settings, timeout=_TIMEOUT)
        try:
            container = decoding.open_video(self._address, **settings)
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        if container.duration is not None:
            container.close()
            raise ConnectionError(
                f'{self.label} is a video with an end: lift it with `mmhot infer`'
            )
        return container


def open_stream(text: str) -> VideoStream | VideoFile:
    """Open a stream.

    Args:
        text (str): Number or device of a webcam, an address, or a video file.

    Returns:
        VideoStream | VideoFile: The open stream; of an address, its newest frames.

    Raises:
        FileNotFoundError: If there is no such file or webcam.
        ConnectionError: If it cannot be opened.
        ValueError: If a file is not a video.
    """
    if address := Address.read(text):
        options = {'fflags': 'nobuffer', 'flags': 'low_delay'}
        if text.lower().startswith('rtsp'):
            # Lost packets smear images, so TCP is preferred; not every server has it.
            options['rtsp_flags'] = 'prefer_tcp'
        return VideoStream(address, options=options)
    if not is_webcam(text):
        return VideoFile(text)
    device = Path(f'/dev/video{text}' if text.isdecimal() else text)
    if not device.exists():
        webcams = ', '.join(sorted(map(str, Path('/dev').glob('video*')))) or 'none'
        raise FileNotFoundError(
            f'there is no webcam {text}: {device} does not exist (found: {webcams})'
        )
    name = f'webcam{device.name.removeprefix("video")}'
    return VideoStream(Address(str(device), name, f'webcam {device}'), format='v4l2')
