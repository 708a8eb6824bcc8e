"""Addresses of videos, and videos in FFmpeg: frame rates, decoded upright images."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from mmhot.chain.frames.sources import DEFAULT_FPS
from mmhot.errors import one_line, public_url
from mmhot.io.images import MAX_PIXELS, check_pixels, open_media

MAX_FPS = 240.0
"""Largest plausible frame rate; FFmpeg guesses higher ones from timestamps."""
VIDEO_SUFFIXES = {
    *('.mp4', '.mov', '.m4v', '.avi', '.mkv', '.webm', '.mpg', '.mpeg'),
    *('.mts', '.m2ts', '.wmv', '.3gp', '.flv', '.ogv', '.gif', '.mxf', '.y4m'),
}
"""Suffixes of files that are videos, where a folder is the input."""
_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'rtp', 'srt')
_RAW_FORMATS = {
    *('h264', 'hevc', 'vvc', 'obu', 'm4v', 'mpegvideo', 'h263', 'vc1', 'dirac'),
    *('mjpeg', 'mpjpeg', 'image2pipe', 'rawvideo'),
}
# FFmpeg's numbers of field orders, without unknown and progressive
_FIELD_ORDERS = range(2, 6)
# Packets from which the rate of a video is measured; with 300 to 6000, the rates of the
# tests are the same.
_RATE_PACKETS = 600
# A stated rate is used if it differs by less than this share from the measured one:
# guesses of FFmpeg are off by more. From .025 to .1 the rates of the tests are the
# same.
_RATE_TOLERANCE = 0.05
# The same share in .mov and .mp4. They state the mean rate of all frames, which pauses
# change a little. Up to .02 the rates of the tests are the same.
_MEAN_TOLERANCE = 0.002
# Range of the steps between frames, as multiples of the median step. Longer steps are
# pauses or dropped frames, which begin at 2.
_USUAL_STEPS = 0.25, 1.75
MIN_STEP = 1e-3
"""Seconds between frames of the same (coarse) timestamp; a quarter of a step at 240
frames per second."""
# Pixels count as square if their aspect ratio differs by less than this from 1: for
# 854 x 480 encoders state 1280:1281. Other ratios in use differ by .06 and more; .005
# and .02 are as good.
_SQUARE = 0.01


@dataclass(frozen=True)
class Address:
    """Where a video is.

    Attributes:
        url (str): A file, a device or a network address, as FFmpeg opens it.
        name (str): Name of the result files.
        label (str): Name in messages, without user, password and query.
    """

    url: str
    name: str
    label: str

    @classmethod
    def read(cls, text: str) -> 'Address | None':
        """Read a network address, or return None for other texts, such as paths.

        Results are named after the file of the address or, without one, its host.
        """
        scheme, separator, _ = text.partition('://')
        if not separator or scheme.lower() not in _SCHEMES:
            return None
        parts = urlsplit(text)
        stem = Path(parts.path).stem or parts.netloc.rpartition('@')[2]
        return cls(text, re.sub(r'[^\w.-]+', '_', stem), public_url(text))


def open_video(address: Address, **settings: object) -> av.container.InputContainer:
    """Open a video.

    Args:
        address (Address): Where it is.
        **settings (object): Arguments of ``av.open``.

    Returns:
        av.container.InputContainer: The open video; it has a video stream.

    Raises:
        ValueError: If it cannot be opened, in one line that begins with its label.
    """
    try:
        container = open_media(address.url, **settings)
    except (av.error.FFmpegError, OSError) as error:
        hint = ''
        is_video = Path(address.label).suffix.lower() in VIDEO_SUFFIXES
        if is_video and isinstance(error, av.error.InvalidDataError):
            hint = ' (perhaps the recording or the copy was not finished)'
        elif not is_video and address.url.startswith('http'):
            hint = (
                ' (the address of a video file is expected: a video on a page, as of '
                'YouTube, must be downloaded first)'
            )
        reason = ffmpeg_reason(error)
        raise ValueError(
            f'{address.label} is not a readable video: {reason}{hint}'
        ) from error
    if video_stream(container) is None:
        container.close()
        raise ValueError(
            f'{address.label} has no images: a video is expected, not sound alone'
        )
    return container


def decode(
    container: av.container.InputContainer, label: str, threads: str
) -> Iterator[tuple[av.VideoFrame, np.ndarray] | Exception]:
    """Decode a video.

    Frames of interlaced videos are filtered by FFmpeg's bwdif, one frame late.

    Args:
        container (av.container.InputContainer): The video, from :func:`open_video`.
        label (str): Its name in messages.
        threads (str): Threads of the decoder, 'AUTO' or 'SLICE'. Threads for whole
            frames are faster, and delay the frames of a stream.

    Yields:
        tuple[av.VideoFrame, np.ndarray] | Exception: A frame with its image, BGR uint8
        (H, W, 3), upright; or the error of a packet that cannot be decoded. An error in
        reading packets is the last item.

    Raises:
        ValueError: If frames are too large, or the codec is unknown.
    """
    stream = video_stream(container)
    context = stream.codec_context
    aspect = float(stream.sample_aspect_ratio or 1)
    if context is None:
        raise ValueError(
            f'{label} is in a codec that cannot be decoded here: convert it, to H.264 '
            'for example'
        )
    check_pixels(context.width * aspect, context.height, label)
    # Frames may become larger later, and decoders pad them.
    context.options = {**context.options, 'max_pixels': str(2 * MAX_PIXELS)}
    stream.thread_type = threads
    deinterlace = _deinterlacer(stream) if is_interlaced(container) else None
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError as error:
                yield error
                continue
            if deinterlace is not None:
                end = [] if packet.size else [None]  # the last packet is empty
                frames = [x for frame in (*frames, *end) for x in deinterlace(frame)]
            for frame in frames:
                yield frame, _upright(frame, aspect)
    except MemoryError:  # FFmpeg's only error that is not the fault of the file
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        yield error


def video_stream(container: av.container.InputContainer) -> Any:
    """Return the video stream, rather than a cover image, or None."""
    return container.streams.best('video')


def is_interlaced(container: av.container.InputContainer) -> bool:
    """Return whether a video is marked as interlaced."""
    context = video_stream(container).codec_context
    return context is not None and context.field_order in _FIELD_ORDERS


def _deinterlacer(
    stream: Any,
) -> Callable[[av.VideoFrame | None], Iterator[av.VideoFrame]]:
    """Return a function that joins the two fields of each interlaced frame.

    It is called with each frame, and yields frames with a delay. A last call with None
    yields the rest.
    """
    graph = av.filter.Graph()
    fields = graph.add('bwdif', 'mode=send_frame:deint=interlaced')
    graph.link_nodes(graph.add_buffer(stream), fields, graph.add('buffersink'))
    graph.configure()

    def filtered(frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        graph.vpush(frame)
        # BlockingIOError: the filter needs another frame before the next one
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield graph.vpull()

    return filtered


def is_raw(container: av.container.InputContainer) -> bool:
    """Return whether a format has no timestamps, so that FFmpeg makes them up."""
    return not _RAW_FORMATS.isdisjoint(container.format.name.split(','))


def _upright(frame: av.VideoFrame, pixel_aspect: float) -> np.ndarray:
    """Convert a frame to BGR (H, W, 3), as players show it, with square pixels."""
    image: np.ndarray = frame.to_ndarray(format='bgr24')
    if abs(pixel_aspect - 1) > _SQUARE:
        width = max(round(image.shape[1] * pixel_aspect), 1)
        image = cv2.resize(image, (width, image.shape[0]))
    return np.ascontiguousarray(np.rot90(image, frame.rotation // 90))


def ffmpeg_reason(error: Exception) -> str:
    """Return the message of an FFmpeg error in one line."""
    if isinstance(error, av.error.ExitError):  # raised by PyAV after the timeout
        return 'no answer in time'
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return one_line(text)


def stated_rate(container: av.container.InputContainer) -> float:
    """Return the frame rate in a video's header, or 25 without a plausible one."""
    stream = video_stream(container)
    if stream.average_rate and not is_raw(container):
        return float(stream.average_rate)
    guess = float(stream.guessed_rate or 0)
    return guess if 0 < guess <= MAX_FPS else DEFAULT_FPS


def measure_rate(container: av.container.InputContainer) -> float:
    """Return the frame rate, measured where the header only has a guess.

    Browsers and screen recorders write timestamps, but no rate or a wrong one. Pauses
    do not count.

    Args:
        container (av.container.InputContainer): The video. It must be opened again
            before it is decoded.

    Returns:
        float: Frames per second.
    """
    stream = video_stream(container)
    stated = stated_rate(container)
    is_mean = 'mov' in container.format.name.split(',')
    times = []
    with suppress(av.error.FFmpegError, OSError):  # reported when frames are decoded
        if is_mean:  # the header has a table of the times of all frames
            times = [
                float(x.timestamp * stream.time_base) for x in stream.index_entries
            ]
        else:
            for packet in islice(container.demux(stream), _RATE_PACKETS):
                if packet.dts is not None:
                    times.append(float(packet.dts * packet.time_base))
    steps = np.diff(times)
    steps = steps[steps >= MIN_STEP]
    if not len(steps):
        return stated
    shortest, longest = np.multiply(_USUAL_STEPS, np.median(steps))
    measured = float(1 / steps[(steps >= shortest) & (steps <= longest)].mean())
    tolerance = _MEAN_TOLERANCE if is_mean else _RATE_TOLERANCE
    rates = stated, float(stream.guessed_rate or 0)
    return next((x for x in rates if abs(x / measured - 1) < tolerance), measured)
