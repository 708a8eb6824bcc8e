"""Measure discontinuities of lifted clips at the seams between chunks.

A model that predicts all frames of its window lifts a clip in overlapping chunks, see
:mod:`mmhot.structures.windows`. For several strides, prints MPJPE and how much the
error changes between frames: at the start or end of a chunk, elsewhere in overlaps, and
in the rest. Example::

    python -m tools.lab.measure_seams --model CONFIG --checkpoint CHECKPOINT

With files of 2D keypoints it prints instead how far joints move if a file begins some
frames later, so that the same frames are elsewhere in their windows::

    python -m tools.lab.measure_seams demo/skating_2d_coco17.npz
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from mmengine.fileio import dump
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file
from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.io.atomic import replacing
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.lifting.lifter import Lifter
from mmhot.structures.clips import Clip2D, Clip3D, Track2D
from mmhot.structures.windows import chunk_starts, lift_windows, usual_stride
from mmhot.weights.index import ACCURACIES
from tools.lab.motions import add_lifter_arguments, open_motions

# Shifts of the start of a clip, in windows.
_PHASES = tuple(0.05 * step for step in range(1, 10))


@dataclass(frozen=True)
class Seams:
    """Measurements of one stride.

    Attributes:
        stride (int): Maximum number of frames between chunks.
        frames (int): Frames of all clips.
        seams (int): Steps at which a chunk begins or ends.
        error (float): MPJPE, millimeters.
        at_seams (float): Mean change of a joint's error vector in such a step,
            millimeters.
        in_fades (float): The same of other steps in overlaps of chunks.
        elsewhere (float): The same of steps in one chunk only.
        moved (float): Mean distance of joints to their position when the clip starts
            half a stride later, in frames with the same context before them,
            millimeters.
    """

    stride: int
    frames: int
    seams: int
    error: float
    at_seams: float
    in_fades: float
    elsewhere: float
    moved: float


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='*', type=Path, help='files of 2D keypoints')
    add_lifter_arguments(parser)
    parser.add_argument('--split', default='val', help='motions to use')
    parser.add_argument(
        '--stride',
        type=int,
        nargs='+',
        help='frames between chunks (default: as in mmhot lift, five ninths, two '
        'thirds, and a whole chunk without overlap)',
    )
    parser.add_argument('--out', type=output_file, help='also write the table as JSON')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print one line for each stride, or for each accuracy."""
    if args.clips:
        clips = map(read_keypoints, args.clips)
        table = tabulate_phases(clips, args.model, args.checkpoint)
        print_line(align(table, left=2))
        return
    lifter = Lifter(args.model, args.checkpoint)
    lift, length = chunk_lifter(lifter), lifter.seq_len
    usual = [usual_stride(length, length), length - length // 3, length]
    strides = args.stride or sorted({lifter.stride, *usual})
    if not all(1 <= stride <= length for stride in strides):
        raise ValueError(f'--stride must be from 1 to {length}, got {strides}')
    dataset = open_motions(args.data_root, args.split, fps=lifter.fps, seq_len=length)
    total, results = len(strides) * len(dataset.clips), []
    with (
        tqdm(total=total, unit='clip', leave=False, disable=None) as bar,
        torch.inference_mode(),
    ):
        for stride in strides:
            results.append(measure_seams(lift, dataset, length, stride, bar.update))
    print_line(
        f'{"stride":>6}{"frames":>9}{"seams":>8}{"MPJPE":>9}{"at seams":>11}'
        f'{"in fades":>11}{"elsewhere":>12}{"moved":>9}   (mm)'
    )
    for row in results:
        print_line(
            f'{row.stride:>6}{row.frames:>9}{row.seams:>8}{row.error:>9.2f}'
            f'{row.at_seams:>11.2f}{row.in_fades:>11.2f}{row.elsewhere:>12.2f}'
            f'{row.moved:>9.2f}'
        )
    if args.out:
        with replacing(args.out) as temporary:
            dump(dict(model=lifter.name, seams=[*map(asdict, results)]), temporary)


def tabulate_phases(
    clips: Iterable[Clip2D], model: str | None = None, checkpoint: Path | None = None
) -> list[list[str]]:
    """Tabulate how far joints move with the phase of the windows.

    Args:
        clips (Iterable[Clip2D]): Of two windows or more.
        model (str, optional): See :class:`mmhot.Lifter`.
        checkpoint (Path, optional): The same.

    Returns:
        list[list[str]]: Cells of a header, and of a line for each clip and accuracy.
    """
    lifters = {
        accuracy: Lifter(model, checkpoint, accuracy=accuracy)
        for accuracy in ACCURACIES
    }
    length = lifters['fast'].num_targets
    side_by_side = Lifter(model, checkpoint, stride=length, accuracy='fast')
    lines = [['clip', 'accuracy', 'mean', '95 % within']]
    for clip in clips:
        for name, lifter in {'windows side by side': side_by_side, **lifters}.items():
            moved = 1000 * measure_phases(lifter, clip)
            row = moved.mean(), np.percentile(moved, 95)
            lines.append([clip.name, name, *(f'{value:.1f} mm' for value in row)])
    return lines


def measure_phases(lifter: Lifter, clip: Clip2D) -> np.ndarray:
    """Measure how far joints move if a clip begins later, by parts of a window.

    Returns:
        np.ndarray: Meters, for each joint of frames at least a window after the start.

    Raises:
        ValueError: If the clip is too short.
    """
    window = round(lifter.seq_len / lifter.fps * clip.fps)
    whole, moved = lifter(clip), []
    for part in _PHASES:
        first = max(round(part * window), 1)
        later = lifter(replace(clip, tracks=[*_begin_at(clip, first)]))
        later = later.take(later.frame >= first + window)
        if not len(later):
            raise ValueError(f'{clip.name}: wanted more than {2 * window} frames')
        same = whole.take(np.isin(_keys(whole), _keys(later)))
        moved.append(np.linalg.norm(later.keypoints_3d - same.keypoints_3d, axis=-1))
    return np.concatenate(moved)[:, 1:]


def _begin_at(clip: Clip2D, first: int) -> Iterator[Track2D]:
    """Yield the tracks of a clip from a frame on."""
    for track in clip.tracks:
        rows = track.frames >= first
        if rows.any():
            arrays = track.frames, track.keypoints, track.scores
            yield Track2D(track.track, *(array[rows] for array in arrays))


def _keys(clip: Clip3D) -> np.ndarray:
    """Return a number for each frame and track, (N,)."""
    return clip.frame * 100_000 + clip.track


def chunk_lifter(lifter: Lifter) -> Callable[[np.ndarray, dict, int], np.ndarray]:
    """Return the function of a lifter that :func:`measure_seams` calls.

    Raises:
        ValueError: If its model does not predict all frames of its window.
    """
    if lifter.num_targets != lifter.seq_len:
        raise ValueError(
            f'{lifter.name} predicts {lifter.num_targets} of its {lifter.seq_len} '
            'frames: only models that predict all lift clips in chunks'
        )

    def lift(pixels: np.ndarray, camera: dict, stride: int) -> np.ndarray:
        size = dict(w=camera['w'], h=camera['h'])
        (poses,) = lift_windows(
            lambda windows: lifter.predict(windows, size),
            [pixels],
            lifter.seq_len,
            lifter.num_targets,
            stride,
            lifter.batch_size,
        )
        return poses

    return lift


def measure_seams(
    lift: Callable[[np.ndarray, dict, int], np.ndarray],
    dataset: MocapDataset,
    seq_len: int,
    stride: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Seams:
    """Lift whole clips of motion capture and compare errors of consecutive frames.

    Args:
        lift (Callable): Maps pixels of a clip (T, 17, 2), a camera and the stride to
            poses in camera axes, (T, 17, 3).
        dataset (MocapDataset): Clips with cameras. Clips shorter than a chunk and a
            stride, or within a meter of the camera, are skipped.
        seq_len (int): Frames of a chunk.
        stride (int): Maximum number of frames between chunks.
        progress (Callable): Called with 1 after each clip.

    Raises:
        ValueError: If all clips are skipped.
    """
    errors, jumps, kinds, moved = [], [], [], []
    for clip in dataset.clips:
        progress(1)
        if clip.num_frames < seq_len + stride:
            continue
        joints, camera = clip.arrays['joints_world'], clip.constants['camera_param']
        pixels, target = project(joints + floor_offset(joints), camera)
        if target[..., 2].min() < 1:
            continue
        pixels, later = pixels.astype(np.float32), stride // 2
        pred = lift(pixels, camera, stride)
        pred_later = lift(pixels[later:], camera, stride)
        moved.append(1000 * mpjpe(pred[later:], pred_later)[seq_len:])
        error = 1000 * (pred - pred[:, :1] - target + target[:, :1])
        errors.append(1000 * mpjpe(pred, target))
        jumps.append(np.linalg.norm(np.diff(error, axis=0), axis=-1).mean(-1))
        counts = count_chunks(clip.num_frames, seq_len, stride)
        is_seam = seam_steps(clip.num_frames, seq_len, stride)
        kinds.append(np.where(is_seam, 0, np.where(counts[1:] > 1, 1, 2)))
    if not errors:
        raise ValueError(f'no clip has {seq_len + stride} frames before a camera')
    errors, jumps, kinds, moved = map(np.concatenate, (errors, jumps, kinds, moved))
    means = [
        jumps[kinds == kind].mean() if (kinds == kind).any() else np.nan
        for kind in range(3)
    ]
    return Seams(
        stride=stride,
        frames=len(errors),
        seams=int((kinds == 0).sum()),
        error=errors.mean(),
        at_seams=means[0],
        in_fades=means[1],
        elsewhere=means[2],
        moved=moved.mean(),
    )


def count_chunks(num_frames: int, seq_len: int, stride: int) -> np.ndarray:
    """Number of chunks that predict each frame of a clip, (T,)."""
    starts = chunk_starts(num_frames, seq_len, stride)
    steps = np.zeros(num_frames + seq_len + 1, np.int64)
    np.add.at(steps, starts.clip(0), 1)
    np.add.at(steps, starts + seq_len, -1)
    return steps.cumsum()[:num_frames]


def seam_steps(num_frames: int, seq_len: int, stride: int) -> np.ndarray:
    """Whether a chunk begins or ends between a frame and the next, (T - 1,)."""
    starts = chunk_starts(num_frames, seq_len, stride)
    seams = np.zeros(num_frames + 1, bool)
    seams[np.concatenate([starts[1:], starts[:-1] + seq_len])] = True
    return seams[1:num_frames]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_seams.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
