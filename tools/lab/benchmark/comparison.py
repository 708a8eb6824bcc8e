"""Compare models: cost, time in turns, and memory."""

import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mmhot.evaluation.cost import Cost, count_cost
from mmhot.windows import usual_stride
from tools.lab.benchmark.memory import peak_memory
from tools.lab.benchmark.rows import Built, Row, build_row
from tools.lab.benchmark.timing import Ratio, Times, compare, time_in_turns
from tools.lab.benchmark.whole_clips import ClipResult, time_clips


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        batch_sizes (tuple[int, ...]): Each is measured.
        rounds (int): Turns of each model and batch size.
        seconds (float): What a turn lasts at least.
        threads (int): Of PyTorch, on a CPU.
        device (str): PyTorch device.
        amp (bool): Whether in automatic mixed precision: bfloat16 on a CPU, float16
            on a GPU.
        memory (bool): Whether to measure memory, in a process of its own.
        clip (int, optional): Frames of a clip to lift, too.
    """

    batch_sizes: tuple[int, ...] = (1,)
    rounds: int = 15
    seconds: float = 0.2
    threads: int = 1
    device: str = 'cpu'
    amp: bool = False
    memory: bool = True
    clip: int | None = None


@dataclass(frozen=True)
class Measurement:
    """What was measured of one model at one batch size.

    Attributes:
        batch_size (int): Samples at once.
        times (Times): Seconds of a call.
        ratio (Ratio): To the reference at the same batch size.
        peak_memory (int, optional): Bytes: inputs, weights, and what a call needs.
    """

    batch_size: int
    times: Times
    ratio: Ratio
    peak_memory: int | None


@dataclass(frozen=True)
class Result:
    """What was measured of one model.

    Attributes:
        row (Row): The model.
        input_shape (tuple[int, ...]): Of one input, without the batch.
        output_frames (int, optional): Frames whose poses come out of one input; only
            of lifters.
        clip_frames (int, optional): Frames of a clip that an input is worth where clips
            are lifted: from one window to the next.
        cost (Cost): Of one input.
        measurements (list[Measurement]): By batch size.
    """

    row: Row
    input_shape: tuple[int, ...]
    output_frames: int | None
    clip_frames: int | None
    cost: Cost
    measurements: list[Measurement]


def compare_models(
    rows: Sequence[Row],
    reference: Row,
    settings: Settings,
    progress: Callable[[], None] | None = None,
) -> list[Result]:
    """Measure models under the same conditions.

    Args:
        rows (Sequence[Row]): The models, the reference among them.
        reference (Row): What to compare with.
        settings (Settings): How to measure.
        progress (Callable, optional): Called after every turn.

    Returns:
        list[Result]: One a row.

    Raises:
        FileNotFoundError: If a config is missing.
        ValueError: If a model cannot be built or run.
    """
    with _threads(settings.threads):
        built = {row: build_row(row, settings.device) for row in rows}
        described = {row: _describe(row, model) for row, model in built.items()}
        memory = {row: _memory(row, settings) for row in rows}
        calls = {
            (row, size): _call(model, size, settings)
            for row, model in built.items()
            for size in settings.batch_sizes
        }
        _settle_allocator()
        times = time_in_turns(
            calls, settings.rounds, settings.seconds, progress=progress
        )
    results = []
    for row in rows:
        measurements = [
            Measurement(
                size,
                times[row, size],
                compare(times[row, size], times[reference, size]),
                peak,
            )
            for size, peak in zip(settings.batch_sizes, memory[row], strict=True)
        ]
        results.append(Result(row, *described[row], measurements))
    return results


def compare_clips(
    rows: Sequence[Row],
    settings: Settings,
    progress: Callable[[], None] | None = None,
) -> list[ClipResult]:
    """Lift a clip with each model, see :func:`time_clips`.

    Raises:
        FileNotFoundError: If a config is missing.
        ValueError: If a model cannot be built or lifts no clips.
    """
    kind = torch.device(settings.device).type
    with _threads(settings.threads), torch.autocast(kind, enabled=settings.amp):
        built = {row: build_row(row, settings.device) for row in rows}
        _settle_allocator()
        sizes = (settings.clip, settings.batch_sizes, settings.rounds)
        return time_clips(built, *sizes, progress)


def describe_machine(settings: Settings) -> dict[str, Any]:
    """Say what the times depend on."""
    machine = {
        'processor': _processor(),
        'cores': os.cpu_count(),
        'threads': settings.threads,
        'load': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
        'system': platform.platform(),
        'python': platform.python_version(),
        'torch': torch.__version__,
    }
    if settings.device != 'cpu':
        machine['gpu'] = torch.cuda.get_device_name(settings.device)
    return machine


def as_record(
    results: Sequence[Result],
    clips: Sequence[ClipResult],
    reference: Row,
    settings: Settings,
) -> dict:
    """Return all that was measured, for a JSON file."""
    models = []
    for result in results:
        model = asdict(result)
        model['cost']['macs'] = result.cost.macs
        models.append(model)
    return {
        'machine': describe_machine(settings),
        'settings': asdict(settings),
        'reference': reference.name,
        'models': models,
        'clips': [asdict(clip) for clip in clips],
    }


def as_table(results: Sequence[Result]) -> list[list[str]]:
    """Return a table's lines, the first of which is its header."""
    lifts = any(result.output_frames for result in results)
    header = ['model', 'batch', 'ms', 'ratio', 'quartiles', 'best', 'params M']
    header += [
        'MACs M',
        'products M',
        'memory MB',
        *['us/frame', 'us/clip frame'] * lifts,
    ]
    lines = [header]
    for index in range(len(results[0].measurements)):
        for result in results:
            lines.append(_line(result, result.measurements[index], lifts))
    return lines


def _line(result: Result, measured: Measurement, lifts: bool) -> list[str]:
    ratio, cost, seconds = measured.ratio, result.cost, median(measured.times.turns)
    line = [
        result.row.name,
        str(measured.batch_size),
        f'{1e3 * seconds:.2f}',
        f'{ratio.median:.3f}',
        f'{ratio.low:.3f}-{ratio.high:.3f}',
        f'{ratio.best:.3f}',
        f'{cost.parameters / 1e6:.2f}',
        f'{cost.macs / 1e6:.1f}',
        f'{cost.product_macs / 1e6:.1f}',
        '-' if measured.peak_memory is None else f'{measured.peak_memory / 1e6:.0f}',
    ]
    if lifts:
        for frames in (result.output_frames, result.clip_frames):
            each = 1e6 * seconds / measured.batch_size / (frames or 1)
            line.append(f'{each:.0f}' if frames else '-')
    return line


def _describe(
    row: Row, built: Built
) -> tuple[tuple[int, ...], int | None, int | None, Cost]:
    """Shape of the input, frames that come out, those of a clip, and cost."""
    # Operations are those of the plain model: folded ones may hide them in others.
    plain = build_row(Row(row.name, row.source, row.settings, row.shape))
    x = plain.inputs(1)
    try:
        cost = count_cost(plain.model, x, None, mode='tensor')
        with torch.inference_mode():
            output = plain(x)
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{row.name}: does not run on an input of shape {built.shape}: {error}'
        ) from error
    frames = _output_frames(output)
    if frames is None:
        return built.shape, None, None, cost
    # whole poses, channels first, have their frames last
    seq_len = built.shape[0] if len(built.shape) == 3 else built.shape[-1]
    return built.shape, frames, usual_stride(seq_len, frames), cost


def _output_frames(output: Any) -> int | None:
    """Frames of poses (B, T', K, 3) or (B, K, 3); None of what is no lifter's.

    If frames have been left out, only the center one can be relied on.
    """
    is_pruned = isinstance(output, tuple)
    poses = output[0] if is_pruned else output
    if not isinstance(poses, torch.Tensor) or poses.shape[-1] != 3:
        return None
    return poses.shape[1] if poses.ndim == 4 and not is_pruned else 1


def _call(built: Built, batch_size: int, settings: Settings) -> Callable[[], object]:
    return partial(_run, built, built.inputs(batch_size), settings)


@torch.inference_mode()
def _run(built: Built, x: torch.Tensor, settings: Settings) -> None:
    kind = torch.device(settings.device).type
    with torch.autocast(kind, enabled=settings.amp):
        built(x)
    if kind == 'cuda':
        torch.cuda.synchronize(settings.device)


def _settle_allocator() -> None:
    """Keep page faults out of the times.

    The C library keeps the more freed memory, the larger the largest block was that
    has been freed (up to 32 MiB). Without this, times would depend on the models
    built before.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def _memory(row: Row, settings: Settings) -> list[int | None]:
    """Peak memory by batch size, each in a process of its own."""
    if not settings.memory:
        return [None] * len(settings.batch_sizes)
    method = 'forkserver' if 'forkserver' in get_all_start_methods() else 'spawn'
    context = get_context(method)
    if method == 'forkserver':
        context.set_forkserver_preload(['mmhot.plugin'])
    try:
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
            measure = partial(_measure_memory, row, settings)
            return list(pool.map(measure, settings.batch_sizes))
    except BrokenProcessPool as error:
        raise ValueError(
            f'{row.name}: was killed while measuring memory; there may be too little '
            'for this batch size'
        ) from error


def _measure_memory(row: Row, settings: Settings, batch_size: int) -> int | None:
    with _threads(settings.threads):
        built = build_row(row, settings.device)
        peak = peak_memory(
            lambda: _call(built, batch_size, settings)(), settings.device
        )
    tensors = [*built.model.parameters(), *built.model.buffers()]
    weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return None if peak is None else peak + weights


@contextmanager
def _threads(number: int):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if 'model name' in line]
    return names[0] if names else platform.processor() or platform.machine()
