"""Interleaved timing of several calls.

Temperature and load of a machine change over time: if models are timed one after the
other, the first may seem a tenth faster than the last. Here each model has a turn in
every round, in random order, and turns of the same round are compared.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import TypeVar

import torch

Key = TypeVar('Key', bound=Hashable)
_WARM_UP = 2  # calls


@dataclass
class Times:
    """Durations of calls in seconds."""

    turns: list[float] = field(default_factory=list)  # median of each round
    best: float = math.inf  # shortest of all calls


@dataclass(frozen=True)
class Ratio:
    """Durations relative to a reference: median and quartiles over the rounds."""

    median: float
    low: float
    high: float


def time_in_turns(
    calls: Mapping[Key, Callable[[], object]],
    rounds: int,
    seconds: float = 0.2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, Times]:
    """Time calls in interleaved rounds.

    Args:
        calls (Mapping): Functions by key.
        rounds (int): Number of rounds.
        seconds (float): Time of a turn, which sets the number of its calls. With 0 a
            turn is one call, without warm-up. Defaults to 0.2.
        clock (Callable): Returns the time in seconds.

    Returns:
        dict: Times by key.
    """
    counts = {key: _calls_in(seconds, call, clock) for key, call in calls.items()}
    order = list(calls)
    rng = random.Random(0)
    times = {key: Times() for key in calls}
    for _ in range(rounds):
        rng.shuffle(order)
        for key in order:
            turn = [_time(calls[key], clock) for _ in range(counts[key])]
            times[key].turns.append(statistics.median(turn))
            times[key].best = min(times[key].best, *turn)
    return times


@torch.inference_mode()
def run_whole(network: Callable[[torch.Tensor], object], x: torch.Tensor) -> None:
    """Run a network on a batch (B, ...), and wait for the GPU."""
    network(x)
    if x.is_cuda:
        torch.cuda.synchronize()


def clock_of(device: str | torch.device) -> Callable[[], float]:
    """Return the clock for passes on a device: on a CPU the time of this process.

    Other work on a machine hardly changes that time.
    """
    is_cpu = torch.device(device).type == 'cpu'
    return time.process_time if is_cpu else time.perf_counter


def time_models(
    models: Mapping[Key, Callable], shape: Sequence[int], device: str | torch.device
) -> dict[Key, dict]:
    """Time passes of one input in turns, and compare them with those of the first.

    Args:
        models (Mapping): Networks by key.
        shape (Sequence[int]): Shape of an input, without the batch.
        device (torch.device): Device of the models.

    Returns:
        dict: By key ``milliseconds``, and ``time`` relative to the first network: the
        median and both quartiles.
    """
    inputs = torch.randn(1, *shape, device=device)
    calls = {
        key: partial(
            run_whole, partial(model, data_samples=None, mode='tensor'), inputs
        )
        for key, model in models.items()
    }
    times = time_in_turns(calls, rounds=5, clock=clock_of(device))
    reference = next(iter(times.values()))
    return {
        key: dict(
            milliseconds=1e3 * statistics.median(turns.turns),
            time=[*astuple(compare(turns, reference))],
        )
        for key, turns in times.items()
    }


def compare(times: Times, reference: Times) -> Ratio:
    """Compare turns of the same rounds; below one is faster than the reference."""
    pairs = zip(times.turns, reference.turns, strict=True)
    ratios = [turn / other for turn, other in pairs]
    if len(ratios) == 1:
        ratios *= 2  # quantiles need two
    low, median, high = statistics.quantiles(ratios, n=4, method='inclusive')
    return Ratio(median, low, high)


def _calls_in(
    seconds: float, call: Callable[[], object], clock: Callable[[], float]
) -> int:
    """Return the number of calls that last a time, after a warm-up."""
    if not seconds:
        return 1
    for _ in range(_WARM_UP):
        call()
    return max(1, round(seconds / max(_time(call, clock), 1e-6)))


def _time(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the duration of a call."""
    start = clock()
    call()
    return clock() - start
