"""Speed levels of videos to 3D: settings with measured costs and errors."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.video.filling import Gaps
from mmhot.video.frames import FrameSource
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator

_TABLE = Path(__file__).with_name('speed_levels.json')
# Share of the speed that writing and other programs leave.
_MARGIN = 0.9
# Frames of a video that are timed, and those before them that warm up.
_TIMED, _WARM_UP = 50, 16
# Crops that are timed to compare back ends, and rounds, of which the fastest counts.
_CROPS, _ROUNDS = 8, 4
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
        gaps (Gaps): Gaps between 2D poses that are interpolated.
        flip_3d (bool): Whether the lifter has the flip test.
        keep (int | None): Frames of a window that the shipped lifter for clips keeps;
            None as trained.
        cost (float): Processor time per frame over that of the default.
        pixels (float): Mean error of the limbs' 2D keypoints in pixels.
        mpjpe (float): Mean error of joints in millimeters.
    """

    name: str
    keep_rates: tuple[float, ...] | None
    flip_test: bool
    det_seconds: float
    gaps: Gaps = Gaps()
    flip_3d: bool = True
    keep: int | None = None
    cost: float = 1.0
    pixels: float = 0.0
    mpjpe: float = 0.0

    def __str__(self) -> str:
        rates = 'as trained' if self.keep_rates is None else list(self.keep_rates)
        flips = {'2D': self.flip_test, '3D': self.flip_3d}
        flips = ' and '.join(name for name, is_on in flips.items() if is_on) or 'none'
        kept = 'as trained' if self.keep is None else self.keep
        return (
            f'{self.name}: keep rates {rates}, frames kept by the lifter {kept}, flip '
            f'test {flips}, detection every {self.det_seconds:g} s, tolerance of '
            f'interpolation {self.gaps.tolerance:.0%}; expected error '
            f'{self.pixels:.1f} px, {self.mpjpe:.0f} mm (rendered clips)'
        )


@cache
def read_levels() -> tuple[Level, ...]:
    """Read the table of levels, the most accurate one first."""
    rows = json.loads(_TABLE.read_text(encoding='utf-8'))['levels']
    return tuple(
        Level(
            **{
                **row,
                'keep_rates': row['keep_rates'] and tuple(row['keep_rates']),
                'gaps': Gaps(**row['gaps']),
            }
        )
        for row in rows
    )


def usual_level() -> int:
    """Return the position of the settings that are used without a target."""
    return [level.cost for level in read_levels()].index(1.0)


def apply_level(pipeline: VideoLifter, level: Level, fps: float | None) -> VideoLifter:
    """Return a pipeline with the settings of a level.

    The 2D network is shared, and prunes as the level says if it can. Settings that were
    chosen before stay: interval of detection, flip test, frames kept by the lifter.

    Args:
        pipeline (VideoLifter): Pipeline without a level.
        level (Level): The level.
        fps (float, optional): Frames per second; None of a stream, whose interval of
            detection stays.
    """
    poses = pipeline.pose_estimator
    poses.estimator.set_keep_rates(level.keep_rates)
    det_every = poses.det_every
    if det_every is None and fps is not None and poses.detector.interval:
        det_every = max(round(level.det_seconds * poses.detector.interval * fps), 1)
    poses = replace(
        poses,
        flip_test=poses.flip_test or level.flip_test,
        det_every=det_every,
        gaps=level.gaps,
    )
    lifter = pipeline.lifter.at_speed(level.flip_3d, level.keep)
    return replace(pipeline, pose_estimator=poses, lifter=lifter)


def choose_fastest(
    models: Iterable[VideoPoseEstimator], say: Callable[[str], None]
) -> VideoPoseEstimator:
    """Choose the 2D models whose network is fastest on this machine.

    Args:
        models (Iterable[VideoPoseEstimator]): The same models with several back ends.
        say (Callable): Receives the measured times.
    """
    image = np.random.default_rng(0).integers(0, 255, (256, 192, 3), np.uint8)
    boxes = np.tile(np.float32([0, 0, 192, 256]), (_CROPS, 1))
    times = []
    for each in models:
        rounds = []
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            each.estimator.estimate_fast([image], [boxes])
            rounds.append(time.perf_counter() - begin)
        times.append((min(rounds), each))
        kind = type(each.estimator).__name__
        say(f'{kind}: {1e3 * min(rounds) / _CROPS:.1f} ms a person')
    return min(times, key=itemgetter(0))[1]


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
    pipeline: VideoLifter,
    source: FrameSource,
    target_fps: float,
    say: Callable[[str], None] = lambda line: None,
) -> VideoLifter:
    """Choose the most accurate settings that reach a speed on this machine.

    Args:
        pipeline (VideoLifter): Models.
        source (FrameSource): Video, whose first frames are timed.
        target_fps (float): Frames per second that are wanted.
        say (Callable): Receives the measured speeds, and the choice with its expected
            error.

    Returns:
        VideoLifter: The models with these settings.
    """
    uncached = replace(pipeline, cache=None)

    def run(level: Level, count: int) -> float:
        begin = time.perf_counter()
        first = FirstFrames(source, count)
        _, times = apply_level(uncached, level, source.fps)(first)
        return times.num_frames / (time.perf_counter() - begin)

    def measure(level: Level) -> float:
        speed = run(level, _TIMED)
        say(f'{level.name}: {speed:.1f} frames per second')
        return speed

    run(read_levels()[0], _WARM_UP)
    level, speed = choose_level(read_levels(), measure, target_fps)
    reached = '' if speed >= target_fps else f', below the wanted {target_fps:g}'
    say(f'chosen: {level}; {speed:.1f} frames per second{reached}')
    return apply_level(pipeline, level, source.fps)


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
