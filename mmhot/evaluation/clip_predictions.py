"""Predictions of whole clips, joined from the windows that a model predicted."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mmhot.geometry.windows import blend_weights


@dataclass
class ClipPrediction:
    """Predicted and target poses of one clip, or of frames of unknown clips."""

    pred: np.ndarray  # predicted poses, meters, (F, K, 3)
    target: np.ndarray  # true poses, meters, (F, K, 3); NaN where a joint is missing
    frames: np.ndarray | None = None  # frame numbers within the clip, (F,)
    fps: float | None = None  # frames per second
    dataset: str = ''  # name of the dataset, or of the source of the 2D poses
    subject: str = ''  # '' if unknown, as action and clip
    action: str = ''
    clip: str = ''  # RECORDING.CAMERA
    # Number of frames that a pruner keeps, and number of frames of a window
    kept: tuple[int, int] | None = None
    weights: np.ndarray | None = None  # weights for overlapping windows, (F,)
    root_world: np.ndarray | None = None  # true path of the root, meters, z up, (F, 3)
    # Rotation from the camera's axes, the axes of the poses, to the world's, (3, 3)
    camera_axes: np.ndarray | None = None


def read_sample(sample: dict, count_padding: bool = False) -> ClipPrediction:
    """Convert a sample of an evaluator, a window, to the part of a clip that counts.

    A frame counts if its root is visible; joints that are not visible become NaN.

    Args:
        sample (dict): Sample with ``pred_instances.keypoints`` and
            ``gt_instances.lifting_target``, (T', K, 3), ``lifting_target_visible``
            (T', K), and the metainfo of :class:`ClipDataset`.
        count_padding (bool): Whether all frames and joints count, also frames outside
            of the clip. Defaults to False.

    Returns:
        ClipPrediction: Frames that count, F of T'.

    Raises:
        ValueError: If predictions and targets have different shapes.
    """
    ground_truth = sample['gt_instances']
    target = np.asarray(ground_truth['lifting_target'])
    pred = np.asarray(sample['pred_instances']['keypoints'])
    if pred.size != target.size or pred.shape[-2:] != target.shape[-2:]:
        raise ValueError(
            f'LiftingErrorMetric: predictions {pred.shape} do not fit targets '
            f"{target.shape}: use test_cfg.target='center' with num_targets=1 of the "
            "dataset, and 'all' with more"
        )
    num_targets = len(target)
    inside = np.full(num_targets, True)
    if not count_padding:
        visible = np.reshape(ground_truth['lifting_target_visible'], (num_targets, -1))
        inside = visible[:, 0] > 0
        target = np.where(visible[..., None] > 0, target, np.nan)
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
    """Join the parts of clips.

    A frame that several windows predicted counts once, with the mean of its
    predictions, weighted by :func:`blend_weights` as in lifting. Frames of unknown
    clips are assumed to be different.

    Args:
        parts (Iterable[ClipPrediction]): Parts of clips, in any order.

    Returns:
        list[ClipPrediction]: Clips, sorted by dataset, subject, action and name, with
        rising frame numbers.
    """
    parts_of_clip = defaultdict(list)
    for part in parts:
        clip = part.clip if part.frames is not None else ''
        labels = part.dataset, part.subject, part.action, clip
        parts_of_clip[labels].append(part)
    return [_join(parts_of_clip[x], clip=x[-1]) for x in sorted(parts_of_clip)]


def _join(parts: list[ClipPrediction], clip: str) -> ClipPrediction:
    """Join the parts of one clip, or of unknown clips ('')."""
    joined = replace(
        parts[0],
        pred=np.concatenate([part.pred for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        frames=None,
        root_world=None,
        clip=clip,
        weights=None,
    )
    if not clip:
        return joined
    frames = np.concatenate([part.frames for part in parts])
    joined.frames, first, place = np.unique(
        frames, return_index=True, return_inverse=True
    )
    weights = np.concatenate([part.weights for part in parts])
    total = np.zeros((len(joined.frames), *joined.pred.shape[1:]))
    np.add.at(total, place, joined.pred * weights[:, None, None])
    joined.pred = total / np.bincount(place, weights)[:, None, None]
    joined.target = joined.target[first]
    if parts[0].root_world is not None:
        joined.root_world = np.concatenate([part.root_world for part in parts])[first]
    return joined
