"""Whether lifted clips jump where chunks meet.

A model that gives all frames of its window lifts a clip in chunks, see
:mod:`mmhot.windows`. Here errors of consecutive frames are compared: what one
chunk adds to a pose and the next one does not is a jump that nobody made.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.transforms.virtual_camera import place_on_floor, project
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.windows import chunk_starts, lift_windows


@dataclass(frozen=True)
class Seams:
    """What was measured with one distance between chunks.

    Attributes:
        stride (int): Most frames from one chunk to the next.
        frames (int): Frames of all clips.
        seams (int): Steps at which a chunk begins or ends.
        error (float): MPJPE, millimeters.
        at_seams (float): Mean change of the error vector of a joint in such a step,
            millimeters.
        in_fades (float): The same of other steps that several chunks predict.
        elsewhere (float): The same of steps that one chunk predicts.
        moved (float): Mean distance of joints from where they come if the clip begins
            half a stride later, and chunks elsewhere, in frames that have lost nothing
            of what a chunk sees before them, millimeters.
    """

    stride: int
    frames: int
    seams: int
    error: float
    at_seams: float
    in_fades: float
    elsewhere: float
    moved: float


def count_chunks(num_frames: int, seq_len: int, stride: int) -> np.ndarray:
    """How many chunks predict each frame of a clip, (T,)."""
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


def measure_seams(
    lift: Callable[[np.ndarray, dict, int], np.ndarray],
    dataset: MocapDataset,
    seq_len: int,
    stride: int,
    progress: Callable[[int], None] = lambda clips: None,
) -> Seams:
    """Lift whole clips of motion capture and compare errors of consecutive frames.

    Args:
        lift (Callable): Maps pixels of a clip (T, 17, 2), a camera and the stride to
            poses in camera axes, (T, 17, 3).
        dataset (MocapDataset): Clips with cameras. Those shorter than a chunk and a
            stride, and those whose people come nearer to a camera than a meter, are
            left out.
        seq_len (int): Frames of a chunk.
        stride (int): Most frames from one chunk to the next.
        progress (Callable): Told after each clip, with the number 1.

    Raises:
        ValueError: If no clip is left.
    """
    errors, jumps, kinds, moved = [], [], [], []
    for clip in dataset.clips:
        progress(1)
        if clip.num_frames < seq_len + stride:
            continue
        joints, camera = clip.arrays['joints_world'], clip.constants['camera_param']
        pixels, target = project(joints + place_on_floor(joints), camera)
        if target[..., 2].min() < 1:
            continue
        pixels, later = pixels.astype(np.float32), stride // 2
        pred = lift(pixels, camera, stride)
        again = lift(pixels[later:], camera, stride)
        moved.append(1000 * mpjpe(pred[later:], again)[seq_len:])
        error = 1000 * (pred - pred[:, :1] - target + target[:, :1])
        errors.append(1000 * mpjpe(pred, target))
        jumps.append(np.linalg.norm(np.diff(error, axis=0), axis=-1).mean(-1))
        counts = count_chunks(clip.num_frames, seq_len, stride)
        is_seam = seam_steps(clip.num_frames, seq_len, stride)
        kinds.append(np.where(is_seam, 0, np.where(counts[1:] > 1, 1, 2)))
    if not errors:
        raise ValueError(
            f'no clip has {seq_len + stride} frames, and so a seam, before a camera'
        )
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


def chunk_lifter(lifter) -> Callable[[np.ndarray, dict, int], np.ndarray]:
    """What :func:`measure_seams` calls, of a :class:`mmhot.Lifter`.

    Raises:
        ValueError: If its model does not give all frames of its window.
    """
    if lifter.num_targets != lifter.seq_len:
        raise ValueError(
            f'{lifter.name} gives {lifter.num_targets} of its {lifter.seq_len} frames: '
            'only models that give all lift clips in chunks'
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
