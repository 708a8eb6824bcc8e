"""Frames and timestamps of video files and image sequences, upright as in a player."""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type

from mmhot.errors import escape, require_file
from mmhot.io.images import MAX_PIXELS, check_pixels, open_media, read_image
from mmhot.structures.clips import clip_name

_LOGGER = logging.getLogger(__name__)

DEFAULT_FPS = 25.0
"""Frame rate of what has none: raw streams, folders of images."""
MAX_FPS = 240.0
"""Higher rates are FFmpeg's guesses, from the resolution of the timestamps."""
_RAW_FORMATS = {
    *('h264', 'hevc', 'vvc', 'obu', 'm4v', 'mpegvideo', 'h263', 'vc1', 'dirac'),
    *('mjpeg', 'mpjpeg', 'image2pipe', 'rawvideo'),
}
# Packets from which the rate of a video is measured.
_RATE_PACKETS = 600
# A stated rate is exact if it differs by less than this share from the measured one.
_RATE_TOLERANCE = 0.05
# Timestamps that jump forward by more seconds, or back by more frames, were reset.
_MAX_PAUSE, _MAX_BACK = 60.0, 2.0
# Seconds between frames of the same (coarse) timestamp.
_MIN_STEP = 1e-3
VIDEO_SUFFIXES = {
    *('.mp4', '.mov', '.m4v', '.avi', '.mkv', '.webm', '.mpg', '.mpeg'),
    *('.mts', '.m2ts', '.wmv', '.3gp', '.flv', '.ogv', '.gif', '.mxf', '.y4m'),
}
"""Files of a folder that are videos."""
_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'rtp', 'srt')
# Seconds for opening an address and for the next frame.
_TIMEOUT = (10.0, 30.0)
# FFmpeg's own limit on the pixels of a frame.
_UNLIMITED = 2**30 - 1
# How much earlier than its container says a video may end (audio lasts longer):
# seconds and share.
_EARLY, _EARLY_SHARE = 0.5, 0.02
# Pixels whose aspect ratio differs less from 1 are taken for square, and those whose
# ratio or its inverse is larger for a fault of the file.
_SQUARE, _MAX_PIXEL_ASPECT = 0.01, 8
# Unreadable images of a sequence that are named.
_MAX_WARNINGS = 3


@dataclass
class Frame:
    """One frame of a clip.

    Attributes:
        index (int): Frame number, from 0.
        time (float): Seconds since the first frame; NaN if unknown.
        image (np.ndarray): BGR, uint8 (H, W, 3), upright.
    """

    index: int
    time: float
    image: np.ndarray


class FrameSource(ABC):
    """Frames of a clip, read in order.

    Args:
        name (str): Name of the result files.
        path (Path): File, folder or address.
        fps (float): Mean frames per second.
        num_frames (int, optional): Number of frames, if known.

    Attributes:
        label (str): Name in messages.
        ended (str | None): After reading: why it ended early, one line.
        num_damaged (int): Frames so far that were decoded from damaged data, or were
            skipped because of it.
        max_pixels (int): Larger frames are refused.
        finite (bool): Whether it has an end; else frames come in real time.
    """

    max_pixels = MAX_PIXELS
    finite = True
    ended: str | None = None
    num_damaged = 0

    def __init__(
        self, name: str, path: Path, fps: float, num_frames: int | None = None
    ) -> None:
        self.name, self.path, self.fps = name, path, fps
        self.label = escape(path)
        self.num_frames = num_frames

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Read from the start."""


class FileClock:
    """Convert timestamps of a file to increasing seconds since the first frame.

    Where timestamps restart, as in joined videos, the usual step is taken.
    """

    def __init__(self, fps: float) -> None:
        self._step = 1 / fps
        self._shift = self._last = None

    def __call__(self, time: float) -> float:
        """Convert the timestamp of the next frame, in seconds."""
        if self._last is None:
            self._shift, self._last = -time, 0.0
            return self._last
        passed = time + self._shift - self._last
        if not -_MAX_BACK * self._step < passed < _MAX_PAUSE:
            self._shift += self._step - passed
            passed = self._step
        self._last += max(passed, _MIN_STEP)
        return self._last


class VideoFile(FrameSource):
    """Read the frames of a video file.

    Packets that cannot be decoded are skipped. Of a file that ends in damaged data the
    frames before are read; ``ended`` is the reason then.

    Args:
        address (str | Path): The file, or the URL of a video with an end.
        fps (float, optional): Frames per second of a raw stream, which has no
            timestamps. By default the rate in its header, or 25.

    Attributes:
        has_timestamps (bool): Whether ``fps`` is ignored.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a readable video.
    """

    def __init__(self, address: str | Path, fps: float | None = None) -> None:
        self._is_remote = is_url(str(address))
        if self._is_remote:
            self.address = str(address)
            path, name = Path(public_url(self.address)), name_of_url(self.address)
        else:
            path = require_file(address)
            name = clip_name(path)
            # FFmpeg takes the beginning of a relative path such as 'a:b' for a protocol
            self.address = str(path.absolute())
        super().__init__(name, path, DEFAULT_FPS)
        self.label = public_url(self.address) if self._is_remote else escape(address)
        with self._open() as container:
            stream = container.streams.video[0]
            limit_pixels(stream, _UNLIMITED, self.label)
            self.num_frames = _num_frames(stream)
            aspect = stream.sample_aspect_ratio
            if aspect and pixel_aspect(stream) is None:
                message = '%s states pixels of %s: taken for square ones'
                _LOGGER.warning(message, self.label, f'{float(aspect):.3g}:1')
            self.has_timestamps = not is_raw(container)
            if self.has_timestamps:
                self.fps = _measure_rate(container)
            else:
                self.fps = fps or stated_rate(container)

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the start."""
        self.ended, self.num_damaged = None, 0
        index, shape, clock, end = 0, None, FileClock(self.fps), 0.0
        skipped, damage = 0, []  # undecodable packets: all, and the last ones
        with self._open() as container:
            expected = _expected_end(container)
            stream = container.streams.video[0]
            limit_pixels(stream, self.max_pixels, self.label)
            stream.thread_type = 'AUTO'
            aspect = pixel_aspect(stream)
            for frame in decode_packets(container):
                if isinstance(frame, Exception):
                    damage.append(frame)
                    continue
                image = upright(frame, aspect)
                if shape not in (None, image.shape):
                    change = describe_change(image.shape, shape)
                    self.ended = f'{self.label} ends at frame {index}: {change}'
                    return
                shape = image.shape
                skipped += len(damage)
                self.num_damaged += len(damage) + bool(frame.is_corrupt)
                damage.clear()
                if frame.time is None or not self.has_timestamps:
                    time = (index + skipped) / self.fps
                else:
                    time = frame.time
                end = time + 1 / self.fps
                yield Frame(index, clock(time), image)
                index += 1
        if damage:
            total = f' of {self.num_frames}' if self.num_frames else ''
            self.ended = (
                f'{self.label} is damaged after {index}{total} frames: '
                f'{ffmpeg_reason(damage[-1])}'
            )
        elif self.num_frames and index + skipped < self.num_frames - 1:
            self.ended = f'{self.label} ends after {index} of {self.num_frames} frames'
        elif expected - end > _EARLY + _EARLY_SHARE * expected:
            self.ended = (
                f'{self.label} ends after {end:.1f} of {expected:.1f} seconds, '
                f'{index} frames'
            )

    def _open(self) -> av.container.InputContainer:
        if not self._is_remote:
            return open_video(self.address, self.label)
        container = open_video(self.address, self.label, timeout=_TIMEOUT)
        if container.duration is None:
            container.close()
            raise ValueError(f'{self.label} is a stream without an end: run it live')
        return container


class ImageSequence(FrameSource):
    """Read images, in their order, as the frames of a clip.

    In place of an image that cannot be read, the one before it is repeated.

    Args:
        paths (list[Path]): The files.
        name (str): Name of the clip.
        fps (float): Frames per second. Defaults to 25.

    Raises:
        ValueError: When it is read, if no image is readable.
    """

    def __init__(self, paths: list[Path], name: str, fps: float = DEFAULT_FPS) -> None:
        self.paths = paths
        path = paths[0] if len(paths) == 1 else paths[0].parent
        super().__init__(name, path, fps, len(paths))
        self._reported: set[Path] = set()

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the first image."""
        self.ended, self.num_damaged, image = None, 0, None
        following = 0
        for index, path in enumerate(self.paths):
            read = self._read(path)
            if read is None and image is None:
                continue  # the first readable image takes its place
            if read is not None and image is not None and read.shape != image.shape:
                change = describe_change(read.shape, image.shape)
                self.ended = f'stopped before {escape(path)}: {change}'
                return
            image = image if read is None else read
            for number in range(following, index + 1):
                yield Frame(number, number / self.fps, image)
            following = index + 1

    def _read(self, path: Path) -> np.ndarray | None:
        """Read an image; None if it is not readable but others may be."""
        try:
            return read_image(path, self.max_pixels)
        except (ValueError, OSError) as error:
            self.num_damaged += 1
            if self.num_damaged == len(self.paths):
                raise
            if len(self._reported) < _MAX_WARNINGS and path not in self._reported:
                self._reported.add(path)
                _LOGGER.warning('%s; another image is repeated in its place', error)
            return None


def open_video(
    address: str, label: str, **settings: object
) -> av.container.InputContainer:
    """Open what has a video stream.

    Args:
        address (str): FFmpeg's address.
        label (str): Name in messages.
        **settings: Of ``av.open``.

    Raises:
        ValueError: If it cannot be opened, in one line.
    """
    try:
        container = open_media(address, **settings)
    except (av.error.FFmpegError, OSError) as error:
        reason = ffmpeg_reason(error)
        if Path(address).suffix.lower() in VIDEO_SUFFIXES:
            reason += ' (perhaps the recording or the copy was not finished)'
        raise ValueError(f'{label} is not a readable video: {reason}') from error
    if not container.streams.video:
        container.close()
        raise ValueError(f'{label} has no video stream')
    return container


def decode_packets(
    container: av.container.InputContainer,
) -> Iterator[av.VideoFrame | Exception]:
    """Decode a video; yields an error for each packet that cannot be decoded.

    An error in reading packets is the last item.
    """
    try:
        for packet in container.demux(container.streams.video[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError as error:
                frames = [error]
            yield from frames
    except (av.error.FFmpegError, OSError, ValueError) as error:
        yield error


def is_raw(container: av.container.InputContainer) -> bool:
    """Return whether FFmpeg makes up the timestamps of a format without any."""
    return not _RAW_FORMATS.isdisjoint(container.format.name.split(','))


def is_url(text: str) -> bool:
    """Return whether a text is a network address."""
    scheme, separator, _ = text.partition('://')
    return bool(separator) and scheme.lower() in _SCHEMES


def public_url(url: str) -> str:
    """Remove user, password and query, which may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    return f'{parts.scheme}://{host}{parts.path}'


def name_of_url(url: str) -> str:
    """Name results after the file of an address or, without one, its host."""
    parts = urlsplit(url)
    stem = Path(parts.path).stem or parts.netloc.rpartition('@')[2]
    return re.sub(r'[^\w.-]+', '_', stem)


def limit_pixels(stream: av.VideoStream, limit: int, name: str) -> None:
    """Refuse a video of too large frames, and frames that become so later."""
    context = stream.codec_context
    if context is None:
        raise ValueError(
            f'{name} is in a codec that cannot be decoded here: convert it, to H.264 '
            'for example'
        )
    aspect = pixel_aspect(stream) or 1
    check_pixels(context.width * aspect, context.height, limit, name)
    # decoders pad frames
    context.options = {**context.options, 'max_pixels': str(2 * limit)}


def pixel_aspect(stream: av.VideoStream) -> Fraction | None:
    """Return the width of a pixel per its height, unless square or implausible."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT:
        return None
    return aspect


def upright(frame: av.VideoFrame, pixel_aspect: Fraction | None = None) -> np.ndarray:
    """Convert a frame to BGR uint8 (H, W, 3), turned and mirrored as a player does.

    Args:
        frame (av.VideoFrame): The decoded frame.
        pixel_aspect (Fraction, optional): Width of a pixel per its height.
    """
    image = frame.to_ndarray(format='bgr24')
    if pixel_aspect and abs(pixel_aspect - 1) > _SQUARE:
        size = (max(round(image.shape[1] * pixel_aspect), 1), image.shape[0])
        image = cv2.resize(image, size)
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return image
    # a point (x, y) is shown at (a x + c y, b x + d y), all in whole quarter turns
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    turned = abs(b) > abs(a)
    if turned:
        image = image.transpose(1, 0, 2)
    across, down = (c, b) if turned else (a, d)
    image = image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return np.ascontiguousarray(image)


def ffmpeg_reason(error: Exception) -> str:
    """Return the message of an FFmpeg error in one line."""
    if isinstance(error, av.error.ExitError):  # raised by PyAV after the timeout
        return 'no answer in time'
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return ' '.join(str(text).split())


def stated_rate(container: av.container.InputContainer) -> float:
    """Return the frame rate in a video's header, or 25 without a plausible one."""
    stream = container.streams.video[0]
    if stream.average_rate and not is_raw(container):
        return float(stream.average_rate)
    guess = float(stream.guessed_rate or 0)
    return guess if 0 < guess <= MAX_FPS else DEFAULT_FPS


def _measure_rate(container: av.container.InputContainer) -> float:
    """Return the frame rate, measured where the header only has a guess.

    Browsers and screen recorders write timestamps, but no rate or a wrong one. The
    container must be opened again afterwards.
    """
    stream, stated = container.streams.video[0], stated_rate(container)
    if 'mov' in container.format.name.split(','):
        return stated  # the mean of all frames in its table
    times = []
    try:
        for packet in islice(container.demux(stream), _RATE_PACKETS):
            if packet.dts is not None:
                times.append(float(packet.dts * packet.time_base))
    except (av.error.FFmpegError, OSError):
        pass  # reported when frames are decoded
    steps = np.diff(times)
    steps = steps[(steps > 0) & (steps < _MAX_PAUSE)]
    if not len(steps):
        return stated
    measured = float(1 / steps.mean())
    return stated if abs(measured / stated - 1) < _RATE_TOLERANCE else measured


def describe_change(shape: tuple[int, ...], before: tuple[int, ...]) -> str:
    """Word that the size of the frames changes."""
    sizes = f'it is {shape[1]}x{shape[0]} pixels, those before'
    return f'{sizes} {before[1]}x{before[0]}'


def _expected_end(container: av.container.InputContainer) -> float:
    """Return the timestamp at which a video should end; 0 if unknown."""
    if not container.duration:
        return 0.0
    return (container.duration + (container.start_time or 0)) / av.time_base


def _num_frames(stream: av.VideoStream) -> int | None:
    """Return the number of frames without those trimmed by an edit list, if known."""
    if not stream.frames:
        return None
    if not (stream.duration and stream.average_rate):
        return stream.frames
    shown = round(stream.duration * stream.time_base * stream.average_rate)
    return min(stream.frames, max(shown, 1))
