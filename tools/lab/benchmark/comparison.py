"""Comparison of models: cost, interleaved times, and peak memory."""

import ctypes
import gc
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mmhot.evaluation.cost import Cost, count_cost
from mmhot.structures.windows import usual_stride
from tools.lab.benchmark.model_specs import BuiltModel, ModelSpec, build_spec
from tools.lab.benchmark.timing import (
    ClipResult,
    Ratio,
    Times,
    compare,
    time_clips,
    time_in_turns,
)

_PROCESSES = Path('/proc')


@dataclass(frozen=True)
class Settings:
    """Settings of a measurement.

    Attributes:
        batch_sizes (tuple[int, ...]): Batch sizes to measure.
        rounds (int): Turns of each model and batch size.
        seconds (float): Minimum duration of a turn.
        threads (int): Of PyTorch, on a CPU.
        device (str): PyTorch device.
        amp (bool): Whether to use automatic mixed precision: bfloat16 on a CPU, float16
            on a GPU.
        memory (bool): Whether to measure memory, in separate processes.
        clip (int, optional): Frames of a clip to lift.
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
    """Measurements of one model at one batch size.

    Attributes:
        batch_size (int): Samples per batch.
        times (Times): Durations of a call.
        ratio (Ratio): To the reference at the same batch size.
        peak_memory (int, optional): Bytes of inputs, weights and activations.
    """

    batch_size: int
    times: Times
    ratio: Ratio
    peak_memory: int | None


@dataclass(frozen=True)
class Result:
    """Measurements of one model.

    Attributes:
        spec (ModelSpec): The model.
        input_shape (tuple[int, ...]): Of one input, without the batch.
        output_frames (int, optional): Of lifters: frames predicted from one input.
        clip_frames (int, optional): Of lifters: frames between the windows of a clip.
        cost (Cost): Of one input.
        measurements (list[Measurement]): By batch size.
    """

    spec: ModelSpec
    input_shape: tuple[int, ...]
    output_frames: int | None
    clip_frames: int | None
    cost: Cost
    measurements: list[Measurement]


def compare_models(
    specs: Sequence[ModelSpec],
    reference: ModelSpec,
    settings: Settings,
    progress: Callable[[], None] | None = None,
) -> list[Result]:
    """Measure models under the same conditions.

    Args:
        specs (Sequence[ModelSpec]): The models, including the reference.
        reference (ModelSpec): Reference of the ratios.
        settings (Settings): Settings of the measurement.
        progress (Callable, optional): Called after every turn.

    Returns:
        list[Result]: One for each model.

    Raises:
        FileNotFoundError: If a config is missing.
        ValueError: If a model cannot be built or run.
    """
    with _threads(settings.threads):
        built = {spec: build_spec(spec, settings.device) for spec in specs}
        described = {spec: _describe(spec, model) for spec, model in built.items()}
        memory = {spec: _memory(spec, settings) for spec in specs}
        calls = {
            (spec, size): _call(model, size, settings)
            for spec, model in built.items()
            for size in settings.batch_sizes
        }
        _settle_allocator()
        times = time_in_turns(
            calls, settings.rounds, settings.seconds, progress=progress
        )
    results = []
    for spec in specs:
        measurements = [
            Measurement(
                size,
                times[spec, size],
                compare(times[spec, size], times[reference, size]),
                peak,
            )
            for size, peak in zip(settings.batch_sizes, memory[spec], strict=True)
        ]
        results.append(Result(spec, *described[spec], measurements))
    return results


def compare_clips(
    specs: Sequence[ModelSpec],
    settings: Settings,
    progress: Callable[[], None] | None = None,
) -> list[ClipResult]:
    """Lift a clip with each model, see :func:`timing.time_clips`.

    Raises:
        FileNotFoundError: If a config is missing.
        ValueError: If a model cannot be built or does not lift clips.
    """
    kind = torch.device(settings.device).type
    with _threads(settings.threads), torch.autocast(kind, enabled=settings.amp):
        built = {spec: build_spec(spec, settings.device) for spec in specs}
        _settle_allocator()
        sizes = (settings.clip, settings.batch_sizes, settings.rounds)
        return time_clips(built, *sizes, progress)


def describe_machine(settings: Settings) -> dict[str, Any]:
    """Describe the machine that the times depend on."""
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
    reference: ModelSpec,
    settings: Settings,
) -> dict:
    """Return all measurements for a JSON file."""
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
    """Return a table's lines, header first."""
    lifts = any(result.output_frames for result in results)
    header = ['model', 'batch', 'ms', 'ratio', 'quartiles', 'best', 'params M']
    header += ['MACs M', 'products M', 'memory MB']
    if lifts:
        header += ['us/frame', 'us/clip frame']
    lines = [header]
    for index in range(len(results[0].measurements)):
        for result in results:
            lines.append(_line(result, result.measurements[index], lifts))
    return lines


def _line(result: Result, measured: Measurement, lifts: bool) -> list[str]:
    ratio, cost, seconds = measured.ratio, result.cost, median(measured.times.turns)
    line = [
        result.spec.name,
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
    spec: ModelSpec, built: BuiltModel
) -> tuple[tuple[int, ...], int | None, int | None, Cost]:
    """Shape of the input, predicted frames, frames between windows, and cost."""
    # Count the plain model: folded layers hide operations from the counter.
    plain = build_spec(ModelSpec(spec.name, spec.source, spec.settings, spec.shape))
    x = plain.inputs(1)
    try:
        cost = count_cost(plain.model, x, None, mode='tensor')
        with torch.inference_mode():
            output = plain(x)
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{spec.name}: does not run on an input of shape {built.shape}: {error}'
        ) from error
    frames = _output_frames(output)
    if frames is None:
        return built.shape, None, None, cost
    # flattened poses are channels first, with frames last
    seq_len = built.shape[0] if len(built.shape) == 3 else built.shape[-1]
    return built.shape, frames, usual_stride(seq_len, frames), cost


def _output_frames(output: Any) -> int | None:
    """Frames of poses (B, T', K, 3) or (B, K, 3); None of other outputs.

    A pruned model without recovery predicts the center frame only.
    """
    is_pruned = isinstance(output, tuple)
    poses = output[0] if is_pruned else output
    if not isinstance(poses, torch.Tensor) or poses.shape[-1] != 3:
        return None
    return poses.shape[1] if poses.ndim == 4 and not is_pruned else 1


def _call(
    built: BuiltModel, batch_size: int, settings: Settings
) -> Callable[[], object]:
    return partial(_run, built, built.inputs(batch_size), settings)


@torch.inference_mode()
def _run(built: BuiltModel, x: torch.Tensor, settings: Settings) -> None:
    kind = torch.device(settings.device).type
    with torch.autocast(kind, enabled=settings.amp):
        built(x)
    if kind == 'cuda':
        torch.cuda.synchronize(settings.device)


def _settle_allocator() -> None:
    """Keep page faults out of the times.

    The C library retains more freed memory after a large block (up to 32 MiB) has been
    freed. Without this, times would depend on the models built before.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def _memory(spec: ModelSpec, settings: Settings) -> list[int | None]:
    """Peak memory of each batch size, each in a separate process."""
    if not settings.memory:
        return [None] * len(settings.batch_sizes)
    method = 'forkserver' if 'forkserver' in get_all_start_methods() else 'spawn'
    context = get_context(method)
    if method == 'forkserver':
        context.set_forkserver_preload(['mmhot.plugin'])
    try:
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
            measure = partial(_measure_memory, spec, settings)
            return list(pool.map(measure, settings.batch_sizes))
    except BrokenProcessPool as error:
        raise ValueError(
            f'{spec.name}: killed while measuring memory, possibly for lack of memory; '
            'use smaller batches'
        ) from error


def _measure_memory(spec: ModelSpec, settings: Settings, batch_size: int) -> int | None:
    with _threads(settings.threads):
        built = build_spec(spec, settings.device)
        peak = peak_memory(
            lambda: _call(built, batch_size, settings)(), settings.device
        )
    tensors = [*built.model.parameters(), *built.model.buffers()]
    weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return None if peak is None else peak + weights


def peak_memory(call: Callable[[], object], device: str) -> int | None:
    """Peak growth of memory during a second call, bytes.

    On a CPU this is the growth of the process: run it in a new one. What the first call
    allocates permanently (code, thread stacks) does not count.

    Args:
        call (Callable): Called twice.
        device (str): Its device.

    Returns:
        int, optional: Bytes; None on a CPU outside of Linux.
    """
    if device != 'cpu':
        call()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    call()
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').malloc_trim(0)
    try:
        before = process_status('VmRSS')
        (_PROCESSES / 'self/clear_refs').write_text('5')  # resets the peak
        call()
        return max(0, process_status('VmHWM') - before)
    except OSError:
        return None


def process_status(name: str, process: int | str = 'self') -> int:
    """Read an amount of memory of a Linux process.

    Args:
        name (str): 'VmRSS', or 'VmHWM' for its peak.
        process (int | str): Its ID. Defaults to this one.

    Returns:
        int: Bytes.

    Raises:
        OSError: If the system does not know, or the process has ended.
    """
    text = (_PROCESSES / str(process) / 'status').read_text(encoding='utf-8')
    for line in text.splitlines():
        if line.startswith(f'{name}:'):
            return 1024 * int(line.split()[1])
    raise OSError(f'/proc/{process}/status has no {name}')


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
