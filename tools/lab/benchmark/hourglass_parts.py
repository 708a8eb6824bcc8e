"""Where hourglasses and their hosts spend their time: parts of a pass at batch 1.

Pruning leaves the layers before it as they are, so the ratio of all multiply-adds is
the least ratio of the times, unless a part costs more than its multiply-adds: attention
in the host, the selection of frames in the hourglass.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from mmhot.evaluation.cost import count_cost
from mmhot.profiling import Profile, span
from tools.lab.benchmark.model_specs import BuiltModel, build_spec, parse_spec

_PARTS = ('tokens', 'layers before', 'pruning', 'layers after', 'recovery', 'others')
# Name of a part and its function; a function that measures it.
_Measure = Callable[[str, Callable], Callable]


def measure_parts(pairs: Sequence[tuple[str, str]], rounds: int) -> list[dict]:
    """Count and time the parts of hosts and hourglasses, rewritten for inference.

    Args:
        pairs (Sequence[tuple[str, str]]): Models of :mod:`.model_specs`, host first;
            the first pruner of the hourglass divides the layers of both.
        rounds (int): Passes of each, in turns.

    Returns:
        list[dict]: For each part millions of multiply-adds and median milliseconds of
        both, and the ratios; 'all' has the median ratio of turns.
    """
    rows = []
    for pair in pairs:
        models = [build_spec(parse_spec(name)) for name in pair]
        depth = models[1].model.pruners[0].depth
        counts = [_count(built, depth) for built in models]
        inputs = [built.inputs(1) for built in models]
        turns: list[tuple[dict, ...]] = []
        for _ in range(1 + rounds):  # the first warms up
            both = zip(models, inputs, strict=True)
            turns.append(tuple(_time(built, x, depth) for built, x in both))
        rows += _rows(pair[1].partition(':')[0], counts, turns[1:])
    return rows


def _rows(
    name: str, counts: Sequence[dict], turns: Sequence[tuple[dict, ...]]
) -> list[dict]:
    rows = []
    for part in (*_PARTS, 'all'):
        macs = [each.get(part, 0.0) for each in counts]
        times = [[each.get(part, 0.0) for each in turn] for turn in turns]
        is_in_both = part not in ('pruning', 'recovery')
        rows.append(
            {
                'hourglass': name,
                'part': part,
                'M multiply-adds of the host': macs[0],
                'of the hourglass': macs[1],
                'ratio': _ratio(macs) if is_in_both else '',
                'ms of the host': median(host for host, _ in times),
                'ms of the hourglass': median(pruned for _, pruned in times),
                'ratio of the times': median(map(_ratio, times)) if is_in_both else '',
            }
        )
    return rows


def _ratio(values: Sequence[float]) -> float:
    host, pruned = values
    return pruned / host


@torch.inference_mode()
def _time(built: BuiltModel, x: torch.Tensor, depth: int) -> dict[str, float]:
    """Return the milliseconds of the parts of one pass.

    Those of a single thread are its processor time, which other work disturbs less.
    """
    with Profile() as profile, _measured(built, depth, lambda name, f: span(name)(f)):
        span('others')(built)(x)
    is_single = torch.get_num_threads() == 1
    times = {
        name: 1e3 * (stage.cpu_seconds if is_single else stage.own_seconds)
        for name, stage in profile.stages().items()
    }
    return {**times, 'all': sum(times.values())}


def _count(built: BuiltModel, depth: int) -> dict[str, float]:
    """Return the millions of multiply-adds of the parts of one pass."""
    counts: Counter = Counter()

    def measure(name: str, function: Callable) -> Callable:
        def call(*args: Any) -> Any:
            counts[name] += count_cost(function, *args).macs / 1e6
            return function(*args)

        return call

    x = built.inputs(1)
    with torch.no_grad(), _measured(built, depth, measure):
        built(x)
    whole = count_cost(partial(built), x).macs / 1e6
    return {**counts, 'others': whole - sum(counts.values()), 'all': whole}


@contextmanager
def _measured(built: BuiltModel, depth: int, measure: _Measure):
    """Measure the parts of a host's passes; layers below a depth are 'before'."""
    host = built.model.backbone
    before, after = _PARTS[1], _PARTS[3]
    layers = [
        measure(before if place < depth else after, layer)
        for place, layer in enumerate(host.get_layers())
    ]
    parts = [(host, 'tokenize', 'tokens'), (host.hourglass, 'recover', 'recovery')]
    for pruner in host.hourglass.pruners:
        parts.append((pruner, 'forward', 'pruning'))
    with ExitStack() as patches:
        for owner, name, part in parts:
            measured = measure(part, getattr(owner, name))
            patches.enter_context(patch.object(owner, name, measured))
        patches.enter_context(patch.object(host, 'get_layers', lambda: layers))
        yield
