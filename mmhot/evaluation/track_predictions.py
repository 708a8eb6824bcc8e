"""Whole clips of predictions, put together from the windows that a model was given."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from os.path import basename

import numpy as np

from mmhot.datasets.h36m_names import parse_h36m_name
from mmhot.windows import blend_weights


@dataclass
class Track:
    """Poses of one clip, or of frames of which nobody knows the clip.

    Attributes:
        pred (np.ndarray): Metres, (F, K, 3).
        target (np.ndarray): Metres, (F, K, 3).
        frames (np.ndarray, optional): Frame numbers within the clip, (F,).
        fps (float, optional): Frames per second.
        dataset (str): Dataset or source of the 2D poses.
        subject (str): Who is seen; '' if unknown.
        action (str): What is done; '' if unknown.
        clip (str): Name of the clip, as ``RECORDING.CAMERA``; '' if unknown.
        kept (tuple[int, int], optional): How many frames of how many a pruner has
            kept of each window.
        weights (np.ndarray, optional): How much poses count where windows overlap,
            (F,).
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

    @property
    def recording(self) -> str:
        """Name of the clip without its camera."""
        return self.clip.split('.')[0]


def read_sample(sample: dict, count_padding: bool = False) -> Track:
    """What an evaluator gets of one window, as the part of a clip that it is.

    Args:
        sample (dict): With ``pred_instances.keypoints`` and
            ``gt_instances.lifting_target``, (T', K, 3), ``lifting_target_visible``,
            and what identifies the frames: the metainfo of :class:`ClipDataset`, or
            MMPose's ``target_img_path``.
        count_padding (bool): Whether to keep frames outside of the clip.

    Returns:
        Track: Without the frames that do not count; maybe none.
    """
    truth = sample['gt_instances']
    target = np.asarray(truth['lifting_target'])
    pred = np.asarray(sample['pred_instances']['keypoints'])
    if pred.size != target.size or pred.shape[-2:] != target.shape[-2:]:
        raise ValueError(
            f'LiftingErrorMetric: predictions of {pred.shape} do not fit targets of '
            f"{target.shape}; test_cfg.target ('center' or 'all') must agree with the "
            'num_targets of the dataset'
        )
    num_targets = len(target)
    inside = np.reshape(truth['lifting_target_visible'], (num_targets, -1)) > 0
    inside = np.full(num_targets, True) if count_padding else inside.all(-1)
    labels, frames = _identify(sample, num_targets)
    return Track(
        pred.reshape(target.shape)[inside],
        target[inside],
        frames=None if frames is None else frames[inside],
        fps=sample.get('fps'),
        dataset=sample.get('dataset_name', ''),
        kept=_count_kept(sample),
        weights=blend_weights(num_targets)[inside],
        **labels,
    )


def _count_kept(sample: dict) -> tuple[int, int] | None:
    if 'kept_frames' not in sample:
        return None
    return len(sample['kept_frames']), sample['num_frames']


def _identify(sample: dict, num_targets: int) -> tuple[dict, np.ndarray | None]:
    """Subject, action and clip of a sample, and its targets' frame numbers (T',)."""
    if 'clip' not in sample:
        return _parse_names(sample.get('target_img_path', ()), num_targets)
    labels = {key: sample.get(key, '') for key in ('subject', 'action', 'clip')}
    frames = sample.get('target_frame_numbers')
    if frames is None and num_targets == 1 and 'frame' in sample:
        frames = [sample['frame']]
    return labels, None if frames is None else np.asarray(frames)


def _parse_names(paths: Iterable[str], num_targets: int) -> tuple:
    """The same of MMPose's Human3.6M, whose labels are in the pictures' names.

    As in MMPose's metric, the action of 'WalkDog_1' is 'WalkDog'.
    """
    paths = [paths] if isinstance(paths, str) else list(paths)
    names = [basename(path) for path in paths]
    labels = dict(subject='', action='', clip='')
    try:
        parsed = [parse_h36m_name(name) for name in names]
    except ValueError:
        parsed = []
    if parsed:
        first = parsed[0]
        labels = dict(subject=first.subject, action=first.action, clip=first.clip)
    elif names:
        labels['subject'], _, rest = names[0].partition('_')
        labels['action'] = rest.split('.')[0].split('_')[0]
    if len(parsed) != num_targets:
        return labels | {'clip': ''}, None
    return labels, np.array([name.frame for name in parsed])


def join_tracks(parts: Iterable[Track]) -> list[Track]:
    """Put the parts of clips together, in whatever order they come.

    A frame that several windows predicted counts once, with the mean of its
    predictions, weighted by :func:`blend_weights` as in lifting. Frames of unknown
    clips are all taken to be different ones.

    Args:
        parts (Iterable[Track]): Of windows.

    Returns:
        list[Track]: Sorted by dataset, subject, action and clip, frames rising.
    """
    of_clip = defaultdict(list)
    for part in parts:
        known = part.clip if part.frames is not None else ''
        of_clip[part.dataset, part.subject, part.action, known].append(part)
    return [_join(of_clip[labels], *labels) for labels in sorted(of_clip)]


def _join(
    parts: list[Track], dataset: str, subject: str, action: str, clip: str
) -> Track:
    pred = np.concatenate([part.pred for part in parts])
    target = np.concatenate([part.target for part in parts])
    frames = None
    if clip:
        frames = np.concatenate([part.frames for part in parts])
        frames, where, place = np.unique(frames, return_index=True, return_inverse=True)
        weights = np.concatenate([part.weights for part in parts])
        total = np.zeros((len(frames), *pred.shape[1:]))
        np.add.at(total, place, pred * weights[:, None, None])
        pred = total / np.bincount(place, weights)[:, None, None]
        target = target[where]
    first = parts[0]
    return Track(
        pred, target, frames, first.fps, dataset, subject, action, clip, first.kept
    )
