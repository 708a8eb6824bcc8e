"""Frames and timestamps of video files and image sequences, upright as in a player."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import av

from mmhot.chain.frames import decoding
from mmhot.chain.frames.decoding import Address
from mmhot.chain.frames.sources import DEFAULT_FPS, Frame, FrameSource
from mmhot.errors import ArgumentError, escape, require_file
from mmhot.io.images import read_focal_35mm, read_image
from mmhot.structures.clips_2d import clip_name

_LOGGER = logging.getLogger(__name__)

# Seconds for opening an address, and for the next frame
_TIMEOUT = (10.0, 30.0)
# Seconds by which a video may end earlier than its file says. None of 25 complete
# videos does by more than rounding; with half of it the tests give the same lines.
_EARLY = 0.5
# Relative difference of the given rate from the file's, up to which a video is not slow
# motion. Rates of 29.97 are given as 30; slow motion begins at 1.25 times. Half of it
# is as good.
_SAME_RATE = 0.02
# Frames; timestamps that fall back by more were reset. Ones that were moved on as they
# are the same fall back by less.
_MAX_BACK = 2.0


class VideoFile(FrameSource):
    """Read the frames of a video file.

    Packets that cannot be decoded are skipped. If a file ends in damaged data, the
    frames before it are read, and ``ended`` states the reason.

    Args:
        source (str | Path | Address): The file, or the URL of a video with an end.
        fps (float, optional): Frames per second at which it was recorded, for raw
            streams, which have no timestamps, and for slow motion, where timestamps
            are scaled. By default as the file states, or 25.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a readable video.
    """

    def __init__(self, source: str | Path | Address, fps: float | None = None) -> None:
        address = source if isinstance(source, Address) else Address.read(str(source))
        self._is_remote = address is not None
        if address is None:
            path = require_file(str(source))
            # In a relative path such as 'a:b', FFmpeg would see the protocol 'a'.
            address = Address(str(path.absolute()), clip_name(path), escape(path))
        else:
            path = Path(address.label)
        super().__init__(address.name, path, DEFAULT_FPS)
        self._address = address
        self.label = address.label  # a path has one slash after http:
        self.slowed = 1.0  # duration of the file, relative to the recording's
        with self._open() as container:
            self.num_frames = decoding.video_stream(container).frames or None
            self._has_timestamps = not decoding.is_raw(container)
            if not self._has_timestamps:
                self._rate = self.fps = fps or decoding.stated_rate(container)
                return
            self._rate = self.fps = decoding.measure_rate(container)
        if fps is not None and abs(fps / self._rate - 1) > _SAME_RATE:
            self.fps = fps
            self.slowed = fps / self._rate
            _LOGGER.warning(
                ArgumentError(
                    '%s: {fps=%r} is the rate of recording: times are %s by %.4g',
                    self.label,
                    fps,
                    'divided' if self.slowed > 1 else 'multiplied',
                    max(self.slowed, 1 / self.slowed),
                )
            )

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the start."""
        self.ended = None
        self.num_damaged = 0
        index = 0
        end = 0.0  # timestamp at which the last frame ends, seconds
        last = 0.0  # time of the last frame, seconds
        damage: list[Exception] = []  # errors since the last frame
        with self._open() as container:
            expected = _expected_end(container)
            if decoding.is_interlaced(container):
                self._warn_once(
                    '%s is interlaced: its fields are interpolated to frames'
                )
            for item in decoding.decode(container, self.label, 'AUTO'):
                if isinstance(item, Exception):
                    damage.append(item)
                    continue
                frame, image = item
                self.num_damaged += len(damage) + bool(frame.is_corrupt)
                damage.clear()
                is_timed = self._has_timestamps and frame.time is not None
                time = frame.time if is_timed else index / self._rate
                end = time + 1 / self._rate
                if index == 0:
                    start = time
                passed = time - start - last
                if passed < -_MAX_BACK / self._rate:
                    self._warn_once(
                        '%s: timestamps fall back by %.1f s before frame %d: this '
                        'counts as one frame',
                        -passed,
                        index,
                    )
                    start += passed - 1 / self._rate
                    passed = 1 / self._rate
                if index:
                    last += max(passed, decoding.MIN_STEP)
                yield Frame(index, last / self.slowed, self._fitted(image))
                index += 1
        if damage:
            reason = decoding.ffmpeg_reason(damage[-1])
            self.ended = f'{self.label} is damaged after {index} frames: {reason}'
        elif expected - end > _EARLY:
            self.ended = (
                f'{self.label} ends after {end:.1f} of {expected:.1f} seconds, '
                f'{index} frames'
            )

    def _open(self) -> av.container.InputContainer:
        """Open the file, or an address of a video with an end."""
        if not self._is_remote:
            return decoding.open_video(self._address)
        container = decoding.open_video(self._address, timeout=_TIMEOUT)
        if container.duration is None:
            container.close()
            raise ValueError(
                f'{self.label} is a stream without an end: lift it with `mmhot stream '
                f'{self.label}`'
            )
        return container


class ImageSequence(FrameSource):
    """Read images, in their order, as the frames of a clip; damaged ones are left out.

    Args:
        paths (list[Path]): The images, at least one.
        name (str): Name of the clip.
        fps (float): Frames per second. Defaults to 25.
        numbers (Sequence[int], optional): Rising frame numbers, from which the times
            follow. By default consecutive.

    Raises:
        ValueError or OSError: When frames are read, if no image can be decoded.
    """

    def __init__(
        self,
        paths: list[Path],
        name: str,
        fps: float = DEFAULT_FPS,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self.paths = paths
        self.numbers = range(len(paths)) if numbers is None else numbers
        path = paths[0] if len(paths) == 1 else paths[0].parent
        super().__init__(name, path, fps, len(paths))
        self.names: list[str] = [path.name for path in paths]
        self.focal_35mm = read_focal_35mm(paths[0])

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the first image."""
        self.ended = None
        self.num_damaged = 0
        self.names.clear()
        for row, path in enumerate(self.paths):
            try:
                image = read_image(path)
            except (ValueError, OSError) as error:
                self.num_damaged += 1
                if self.num_damaged == len(self.paths):
                    raise
                _LOGGER.warning('%s; it is left out', error)
                continue
            time = float(self.numbers[row] - self.numbers[0]) / self.fps
            image = self._fitted(image)
            self.names.append(path.name)
            yield Frame(row - self.num_damaged, time, image)


def _expected_end(container: av.container.InputContainer) -> float:
    """Return the timestamp at which the images of a video should end; 0 if unknown.

    Where only the whole file has a duration, its sound may be longer.
    """
    stream = decoding.video_stream(container)
    if stream.duration:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    if not container.duration or len(container.streams) > 1:
        return 0.0
    return (container.duration + (container.start_time or 0)) / av.time_base
