"""Speed levels of 2D pose estimation: settings with measured costs and errors."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from mmhot.video.frames import FrameSource
from mmhot.video.pose_estimation import VideoPoseEstimator

_TABLE = Path(__file__).with_name('speed_levels.json')
# Share of the speed that lifting, writing and other programs leave.
_MARGIN = 0.9
# Frames of a video that are timed, and those before them that warm up.
_TIMED, _WARM_UP = 50, 16
# Frames over which the speed of a stream is averaged; share of the time of a frame
# above which a faster level is chosen, and below which the time of a more accurate one
# must be expected, for so many frames.
_WINDOW, _TOO_SLOW, _SLACK, _PATIENCE = 25, 0.95, 0.7, 150


@dataclass(frozen=True)
class Level:
    """Settings of one speed, and what they cost on the clips of the table.

    Attributes:
        name (str): Name in messages.
        keep_rates (tuple[float] | None): GTPT's keep rates; None as trained.
        flip_test (bool): Whether all crops are mirrored, too.
        det_seconds (float): Seconds from one detection to the next.
        cost (float): Processor time per frame over that of the default.
        pixels (float): Mean error of the limbs' 2D keypoints in pixels.
        mpjpe (float): Mean error of joints in millimeters.
    """

    name: str
    keep_rates: tuple[float, ...] | None
    flip_test: bool
    det_seconds: float
    cost: float = 1.0
    pixels: float = 0.0
    mpjpe: float = 0.0

    def __str__(self) -> str:
        rates = 'as trained' if self.keep_rates is None else list(self.keep_rates)
        flips = 'flip test' if self.flip_test else 'no flip test'
        return (
            f'{self.name}: keep rates {rates}, {flips}, detection every '
            f'{self.det_seconds:g} s; expected error {self.pixels:.1f} px, '
            f'{self.mpjpe:.0f} mm (rendered clips)'
        )


@cache
def read_levels() -> tuple[Level, ...]:
    """Read the table of levels, the most accurate one first."""
    rows = json.loads(_TABLE.read_text(encoding='utf-8'))['levels']
    return tuple(
        Level(**{**row, 'keep_rates': row['keep_rates'] and tuple(row['keep_rates'])})
        for row in rows
    )


def usual_level() -> int:
    """Return the position of the settings that are used without a target."""
    return [level.cost for level in read_levels()].index(1.0)


def apply_level(
    poses: VideoPoseEstimator, level: Level, fps: float | None
) -> VideoPoseEstimator:
    """Return an estimator with the settings of a level.

    The 2D network is shared, and prunes as the level says if it can. An interval of
    detection and a flip test that were chosen before stay.

    Args:
        poses (VideoPoseEstimator): Estimator.
        level (Level): The level.
        fps (float, optional): Frames per second; None of a stream, whose interval of
            detection stays.
    """
    poses.estimator.set_keep_rates(level.keep_rates)
    det_every = poses.det_every
    if det_every is None and fps is not None and poses.detector.interval:
        det_every = max(round(level.det_seconds * poses.detector.interval * fps), 1)
    flip_test = poses.flip_test or level.flip_test
    return replace(poses, flip_test=flip_test, det_every=det_every)


def choose_level(
    levels: Sequence[Level], measure: Callable[[Level], float], target_fps: float
) -> tuple[Level, float]:
    """Choose the most accurate level that reaches a speed, or else the fastest.

    The first level is measured; others are measured if the costs say that they may
    reach the target, so that few are.

    Args:
        levels (Sequence[Level]): Levels, the most accurate and slowest first.
        measure (Callable): Returns the frames per second of a level.
        target_fps (float): Frames per second that are wanted.

    Returns:
        tuple[Level, float]: The level, and its frames per second.
    """
    needed = target_fps / _MARGIN
    known = level, speed = levels[0], measure(levels[0])
    for level in levels[1:]:
        if speed >= needed:
            break
        reached = known[1] * known[0].cost / level.cost
        if reached < needed and level != levels[-1]:
            continue
        speed = measure(level)
        known = level, speed
    return known


class FirstFrames:
    """The first frames of a clip, as a clip.

    Args:
        source (FrameSource): Clip, which can be read several times.
        count (int): Number of frames.
    """

    ended, num_damaged = None, 0

    def __init__(self, source: FrameSource, count: int) -> None:
        self.source, self.count = source, count
        self.name, self.path, self.fps = source.name, source.path, source.fps
        self.num_frames = min(source.num_frames or count, count)
        self.max_pixels = source.max_pixels

    def __iter__(self) -> Any:
        """Read from the start."""
        self.source.max_pixels = self.max_pixels
        return islice(iter(self.source), self.count)


def tune(
    poses: VideoPoseEstimator,
    source: FrameSource,
    target_fps: float,
    say: Callable[[str], None] = lambda line: None,
) -> VideoPoseEstimator:
    """Choose the most accurate settings that reach a speed on this machine.

    Args:
        poses (VideoPoseEstimator): 2D models.
        source (FrameSource): Video, whose first frames are timed.
        target_fps (float): Frames per second that are wanted.
        say (Callable): Receives the measured speeds, and the choice with its expected
            error.

    Returns:
        VideoPoseEstimator: The 2D models with these settings.
    """
    apply_level(poses, read_levels()[0], source.fps)(FirstFrames(source, _WARM_UP))

    def measure(level: Level) -> float:
        timed = FirstFrames(source, _TIMED)
        begin = time.perf_counter()
        found = apply_level(poses, level, source.fps)(timed)
        speed = len(found.people) / (time.perf_counter() - begin)
        say(f'{level.name}: {speed:.1f} frames per second')
        return speed

    level, speed = choose_level(read_levels(), measure, target_fps)
    reached = '' if speed >= target_fps else f', below the wanted {target_fps:g}'
    say(f'chosen: {level}; {speed:.1f} frames per second{reached}')
    return apply_level(poses, level, source.fps)


class SpeedControl:
    """Choose the level of a stream while it runs.

    A faster level is taken as soon as frames take too long; a more accurate one only if
    its expected time has left room for a while, so that levels do not alternate.

    Args:
        levels (Sequence[Level]): Levels, the most accurate and slowest first.
        target_fps (float): Frames per second to keep up with.
        start (int): Level at first.

    Attributes:
        level (Level): The current level.
    """

    def __init__(
        self, levels: Sequence[Level], target_fps: float, start: int = 0
    ) -> None:
        self.levels, self.target_fps = levels, target_fps
        self._current, self._seconds, self._calm = start, [], 0

    @property
    def level(self) -> Level:
        """Return the current level."""
        return self.levels[self._current]

    def update(self, seconds: float) -> bool:
        """Count the time of a frame; returns whether the level has changed."""
        self._seconds = [*self._seconds, seconds][-_WINDOW:]
        if len(self._seconds) < _WINDOW:
            return False
        share = sum(self._seconds) / _WINDOW * self.target_fps
        if share > _TOO_SLOW and self._current < len(self.levels) - 1:
            return self._change(1)
        if self._current:
            expected = share * self.levels[self._current - 1].cost / self.level.cost
            self._calm = self._calm + 1 if expected < _SLACK else 0
            if self._calm >= _PATIENCE:
                return self._change(-1)
        return False

    def _change(self, step: int) -> bool:
        self._current += step
        self._seconds, self._calm = [], 0
        return True
