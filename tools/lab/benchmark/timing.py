"""Interleaved timing of several calls, and of lifting whole clips.

Temperature and load of a machine change over time: of models that are timed one after
the other, the first may seem a tenth faster than the last. Here all take a turn in
every round, in random order, and turns of the same round are compared.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from mmhot.models.lifters.estimator import SequencePoseLifter
from mmhot.structures.windows import lift_windows, usual_stride
from tools.lab.benchmark.model_specs import BuiltModel, ModelSpec

Key = TypeVar('Key', bound=Hashable)
_WARM_UP = 2


@dataclass
class Times:
    """Durations of calls in seconds.

    Attributes:
        turns (list[float]): For each round, the median of the turn's calls.
        best (float): The shortest of all calls.
    """

    turns: list[float] = field(default_factory=list)
    best: float = math.inf


@dataclass(frozen=True)
class Ratio:
    """Durations relative to a reference.

    Attributes:
        median (float): Over the rounds.
        low (float): First quartile.
        high (float): Third quartile.
        best (float): Shortest call over shortest call, of any rounds.
    """

    median: float
    low: float
    high: float
    best: float


def time_in_turns(
    calls: Mapping[Key, Callable[[], object]],
    rounds: int,
    seconds: float = 0.2,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[], None] | None = None,
) -> dict[Key, Times]:
    """Time calls in interleaved rounds.

    Args:
        calls (Mapping): Functions to time, by name.
        rounds (int): Turns of each.
        seconds (float): Minimum duration of a turn, which sets the number of its calls.
            With 0 it is one call, without warm-up. Defaults to 0.2.
        seed (int): Of the order within rounds. Defaults to 0.
        clock (Callable): Returns seconds.
        progress (Callable, optional): Called after every turn.

    Returns:
        dict[Key, Times]: By name.
    """
    counts = {key: _calls_in(seconds, call, clock) for key, call in calls.items()}
    order, shuffle = list(calls), random.Random(seed).shuffle
    times = {key: Times() for key in calls}
    for _ in range(rounds):
        shuffle(order)
        for key in order:
            turn = [_time(calls[key], clock) for _ in range(counts[key])]
            times[key].turns.append(statistics.median(turn))
            times[key].best = min(times[key].best, *turn)
            if progress is not None:
                progress()
    return times


def compare(times: Times, reference: Times) -> Ratio:
    """Compare turns of the same rounds; below one is faster than the reference."""
    pairs = zip(times.turns, reference.turns, strict=True)
    ratios = [own / other for own, other in pairs]
    if len(ratios) == 1:
        ratios *= 2  # quantiles need two
    low, median, high = statistics.quantiles(ratios, n=4, method='inclusive')
    return Ratio(median, low, high, times.best / reference.best)


def _calls_in(
    seconds: float, call: Callable[[], object], clock: Callable[[], float]
) -> int:
    if not seconds:
        return 1
    for _ in range(_WARM_UP):
        call()
    return max(1, round(seconds / max(_time(call, clock), 1e-6)))


def _time(call: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start


@dataclass(frozen=True)
class ClipResult:
    """Times of one model on one clip.

    Attributes:
        spec (ModelSpec): The model.
        batch_size (int): Windows per batch.
        frames (int): Of the clip.
        stride (int): Frames between windows, as ``mmhot lift`` has them.
        times (Times): Seconds for the clip at that stride.
        dense (Times): Seconds for the clip with windows one frame apart.
        ratio (Ratio): The second over the first.
    """

    spec: ModelSpec
    batch_size: int
    frames: int
    stride: int
    times: Times
    dense: Times
    ratio: Ratio


def time_clips(
    built: dict[ModelSpec, BuiltModel],
    frames: int,
    batch_sizes: Sequence[int],
    rounds: int,
    progress: Callable[[], None] | None = None,
) -> list[ClipResult]:
    """Lift a clip of noise with each model, in turns, once a round.

    Args:
        built (dict[ModelSpec, BuiltModel]): Lifters.
        frames (int): Of the clip.
        batch_sizes (Sequence[int]): Numbers of windows per batch to measure.
        rounds (int): Turns.
        progress (Callable, optional): Called after every turn.

    Returns:
        list[ClipResult]: One for each batch size and model.

    Raises:
        ValueError: If a model does not lift windows.
    """
    strides, calls = {}, {}
    for spec, model in built.items():
        if not isinstance(model.model, SequencePoseLifter):
            raise ValueError(f'{spec.name}: --clip needs a sequence lifter')
        seq_len, num_targets = model.shape[0], model.model.backbone.num_keep_frames
        strides[spec] = usual_stride(seq_len, num_targets)
        for size in batch_sizes:
            for stride in (strides[spec], 1):
                lift = partial(_lift, model, frames, seq_len, num_targets, stride, size)
                calls[spec, size, stride] = lift
    times = time_in_turns(calls, rounds, seconds=0, progress=progress)
    results = []
    for size in batch_sizes:
        for spec, stride in strides.items():
            usual, dense = times[spec, size, stride], times[spec, size, 1]
            ratio = compare(dense, usual)
            results.append(ClipResult(spec, size, frames, stride, usual, dense, ratio))
    return results


def as_clip_table(results: Sequence[ClipResult]) -> list[list[str]]:
    """Return a table's lines, header first."""
    lines = [['model', 'batch', 'stride', 'frames/s', 'at stride 1', 'ratio', 'best']]
    for result in results:
        line = [result.spec.name, str(result.batch_size), str(result.stride)]
        line += [f'{result.frames / x.best:.1f}' for x in (result.times, result.dense)]
        line += [f'{ratio:.1f}' for ratio in (result.ratio.median, result.ratio.best)]
        lines.append(line)
    return lines


@torch.inference_mode()
def _lift(
    built: BuiltModel,
    frames: int,
    seq_len: int,
    num_targets: int,
    stride: int,
    batch_size: int,
) -> None:
    clip = np.random.default_rng(0).normal(size=(frames, *built.shape[1:]))
    device = next(built.model.parameters()).device

    def predict(windows: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(windows).to(device)
        return built.model.lift(inputs).cpu().numpy()

    clips = [clip.astype(np.float32)]
    lift_windows(predict, clips, seq_len, num_targets, stride, batch_size)
