"""Predictions of whole clips, joined from the windows that a model predicted."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmhot.structures.windows import blend_weights


@dataclass
class ClipPrediction:
    """Predicted and target poses of one clip, or of frames of unknown clips.

    Attributes:
        pred (np.ndarray): Meters, (F, K, 3).
        target (np.ndarray): Meters, (F, K, 3).
        frames (np.ndarray, optional): Frame numbers within the clip, (F,).
        fps (float, optional): Frames per second.
        dataset (str): Dataset or source of the 2D poses.
        subject (str): The person; '' if unknown.
        action (str): Action label; '' if unknown.
        clip (str): Name of the clip, as ``RECORDING.CAMERA``; '' if unknown.
        kept (tuple[int, int], optional): Number of frames that a pruner keeps of each
            window, and frames of a window.
        weights (np.ndarray, optional): Weights of the poses where windows overlap,
            (F,).
        root_world (np.ndarray, optional): True positions of the root, meters, z up,
            (F, 3).
        camera_axes (np.ndarray, optional): Rotation from the axes of the poses to those
            of ``root_world``, (3, 3).
    """

    pred: np.ndarray
    target: np.ndarray
    frames: np.ndarray | None = None
    fps: float | None = None
    dataset: str = ''
    subject: str = ''
    action: str = ''
    clip: str = ''
    kept: tuple[int, int] | None = None
    weights: np.ndarray | None = None
    root_world: np.ndarray | None = None
    camera_axes: np.ndarray | None = None

    @property
    def recording(self) -> str:
        """Name of the clip without its camera."""
        return self.clip.split('.')[0]


def read_sample(sample: dict, count_padding: bool = False) -> ClipPrediction:
    """Convert a window, as evaluators receive it, to a part of a clip.

    Args:
        sample (dict): With ``pred_instances.keypoints`` and
            ``gt_instances.lifting_target``, (T', K, 3), ``lifting_target_visible``,
            and the identity of the frames: the metainfo of :class:`ClipDataset`.
        count_padding (bool): Whether to keep frames outside of the clip.

    Returns:
        ClipPrediction: The frames that count, possibly none.
    """
    ground_truth = sample['gt_instances']
    target = np.asarray(ground_truth['lifting_target'])
    pred = np.asarray(sample['pred_instances']['keypoints'])
    if pred.size != target.size or pred.shape[-2:] != target.shape[-2:]:
        raise ValueError(
            f'LiftingErrorMetric: predictions of {pred.shape} do not fit targets of '
            f"{target.shape}; test_cfg.target ('center' or 'all') must agree with the "
            'num_targets of the dataset'
        )
    num_targets = len(target)
    inside = np.full(num_targets, True)
    if not count_padding:
        visible = np.reshape(ground_truth['lifting_target_visible'], (num_targets, -1))
        inside = (visible > 0).all(-1)
    frames = sample.get('target_frame_numbers')
    kept = None
    if 'kept_frames' in sample:
        kept = len(sample['kept_frames']), sample['num_frames']
    root = sample.get('root_world')
    return ClipPrediction(
        pred.reshape(target.shape)[inside],
        target[inside],
        frames=None if frames is None else np.asarray(frames)[inside],
        fps=sample.get('fps'),
        dataset=sample.get('dataset_name', ''),
        kept=kept,
        weights=blend_weights(num_targets)[inside],
        root_world=None if root is None else np.asarray(root)[inside],
        camera_axes=sample.get('camera_axes'),
        **{key: sample.get(key, '') for key in ('subject', 'action', 'clip')},
    )


def join_predictions(parts: Iterable[ClipPrediction]) -> list[ClipPrediction]:
    """Join the parts of clips, in any order.

    A frame that several windows predicted counts once, with the mean of its
    predictions, weighted by :func:`blend_weights` as in lifting. Frames of unknown
    clips are assumed to be different.

    Args:
        parts (Iterable[ClipPrediction]): Predictions of windows.

    Returns:
        list[ClipPrediction]: Sorted by dataset, subject, action and clip, frames
        rising.
    """
    of_clip = defaultdict(list)
    for part in parts:
        known_clip = part.clip if part.frames is not None else ''
        of_clip[part.dataset, part.subject, part.action, known_clip].append(part)
    return [_join(of_clip[labels], *labels) for labels in sorted(of_clip)]


def _join(
    parts: list[ClipPrediction], dataset: str, subject: str, action: str, clip: str
) -> ClipPrediction:
    pred = np.concatenate([part.pred for part in parts])
    target = np.concatenate([part.target for part in parts])
    first, frames, root = parts[0], None, None
    if clip:
        frames = np.concatenate([part.frames for part in parts])
        frames, where, place = np.unique(frames, return_index=True, return_inverse=True)
        weights = np.concatenate([part.weights for part in parts])
        total = np.zeros((len(frames), *pred.shape[1:]))
        np.add.at(total, place, pred * weights[:, None, None])
        pred = total / np.bincount(place, weights)[:, None, None]
        target = target[where]
        if first.root_world is not None:
            root = np.concatenate([part.root_world for part in parts])[where]
    return ClipPrediction(
        pred,
        target,
        frames,
        first.fps,
        dataset,
        subject,
        action,
        clip,
        first.kept,
        root_world=root,
        camera_axes=first.camera_axes,
    )
