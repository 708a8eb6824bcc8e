"""Time whole clips: windows where lifting has them, against windows one frame apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mmhot.models.lifters.estimator import SequencePoseLifter
from mmhot.windows import lift_windows, usual_stride
from tools.lab.benchmark.rows import Built, Row
from tools.lab.benchmark.timing import Ratio, Times, compare, time_in_turns


@dataclass(frozen=True)
class ClipResult:
    """What was measured of one model on one clip.

    Attributes:
        row (Row): The model.
        batch_size (int): Windows at once.
        frames (int): Of the clip.
        stride (int): Frames from one window to the next, as clips are lifted.
        times (Times): Seconds for the clip at that stride.
        dense (Times): Seconds for the clip with windows one frame apart.
        ratio (Ratio): The second over the first.
    """

    row: Row
    batch_size: int
    frames: int
    stride: int
    times: Times
    dense: Times
    ratio: Ratio


def time_clips(
    built: dict[Row, Built],
    frames: int,
    batch_sizes: Sequence[int],
    rounds: int,
    progress: Callable[[], None] | None = None,
) -> list[ClipResult]:
    """Lift a clip of noise with each model, in turns, once a round.

    Args:
        built (dict[Row, Built]): Lifters.
        frames (int): Of the clip.
        batch_sizes (Sequence[int]): Windows at once; each is measured.
        rounds (int): Turns.
        progress (Callable, optional): Called after every turn.

    Returns:
        list[ClipResult]: One a batch size and row.

    Raises:
        ValueError: If a model is no lifter of windows.
    """
    strides, calls = {}, {}
    for row, model in built.items():
        if not isinstance(model.model, SequencePoseLifter):
            raise ValueError(f'{row.name}: clips are measured of sequence lifters only')
        backbone = model.model.backbone
        sizes = (model.shape[0], backbone.num_keep_frames)
        strides[row] = usual_stride(*sizes)
        for size in batch_sizes:
            for stride in (strides[row], 1):
                lift = partial(_lift, model, frames, sizes, stride, size)
                calls[row, size, stride] = lift
    times = time_in_turns(calls, rounds, seconds=0, progress=progress)
    results = []
    for size in batch_sizes:
        for row, stride in strides.items():
            usual, dense = times[row, size, stride], times[row, size, 1]
            ratio = compare(dense, usual)
            results.append(ClipResult(row, size, frames, stride, usual, dense, ratio))
    return results


def as_clip_table(results: Sequence[ClipResult]) -> list[list[str]]:
    """Return a table's lines, the first of which is its header."""
    lines = [['model', 'batch', 'stride', 'frames/s', 'at stride 1', 'ratio', 'best']]
    for result in results:
        speeds = [result.frames / each.best for each in (result.times, result.dense)]
        ratios = (result.ratio.median, result.ratio.best)
        lines.append(
            [
                *(result.row.name, str(result.batch_size), str(result.stride)),
                *(f'{speed:.1f}' for speed in speeds),
                *(f'{ratio:.1f}' for ratio in ratios),
            ]
        )
    return lines


@torch.inference_mode()
def _lift(
    built: Built, frames: int, sizes: tuple[int, int], stride: int, batch_size: int
) -> None:
    clip = np.random.default_rng(0).normal(size=(frames, *built.shape[1:]))
    device = next(built.model.parameters()).device

    def predict(windows: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(windows).to(device)
        return built.model.lift(inputs).cpu().numpy()

    clips = [clip.astype(np.float32)]
    lift_windows(predict, clips, *sizes, stride, batch_size)
