# ruff: noqa: NPY002 - MMEngine seeds the global generator in every worker
"""Several views of one moment, for contrastive pre-training."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample
from torch.utils.data import Dataset

from mmhot.datasets.clip_dataset import ClipDataset
from mmhot.geometry.keypoint_arrays import mirror_poses


@DATASETS.register_module()
class MultiViewDataset(Dataset):
    """Moments of a performance, each seen by several cameras.

    If the wrapped dataset has a clip for each camera, the views of a moment are the
    clips' windows of the same frames. Clips with the same name up to the last dot are
    one performance. If it has one clip for each performance, its pipeline runs once for
    each view, and one of its transforms, such as ``ProjectToRandomCamera``, draws the
    cameras. ``RandomDetectorNoise`` and ``RandomFrameRate`` in this pipeline draw
    errors of detectors and frame rates for each view, too.

    A sample holds ``inputs`` (V, T, K, 2) and a ``PoseDataSample``. The first view is
    the query, the others are in random order; with the wrapped dataset's ``test_mode``,
    views keep their order and are not mirrored. Metainfo of the sample are
    ``performance`` (an ID, a different one if mirrored), ``frame``, ``cameras`` (V,),
    numbered in the order of their names, and ``subject``.

    Args:
        dataset (dict): A :class:`ClipDataset` with its pipeline.
        num_views (int, optional): Views of a sample ``V``; moments that fewer cameras
            see are left out. Defaults to None: the number of cameras, or 4 if the
            pipeline draws them.
        pipeline (list): Transforms of a window that all views share, such as
            ``SeedTransforms`` and ``RandomBoneLengths``, before the wrapped dataset's
            own transforms. With real cameras only ``SeedTransforms`` is possible.
        mirror_prob (float): Probability that all views of a moment are mirrored.

    Raises:
        ValueError: If no moment has ``num_views`` views, or at least two.
    """

    def __init__(
        self,
        dataset: dict,
        num_views: int | None = None,
        pipeline: Sequence[dict | Callable] = (),
        mirror_prob: float = 0.5,
    ) -> None:
        self.dataset: ClipDataset = DATASETS.build(dataset)
        self.num_views = num_views
        self.pipeline = Compose(list(pipeline))
        self.mirror_prob = mirror_prob
        self.dataset.full_init()
        self._group_windows()

    @property
    def metainfo(self) -> dict:
        """The wrapped dataset's description."""
        return self.dataset.metainfo

    def _group_windows(self) -> None:
        """Group the wrapped dataset's windows by performance and frame."""
        clips = self.dataset.clips
        names = [clip.name for clip in clips]
        cameras = [name.rpartition('.')[2] for name in names]
        _, self._cameras = np.unique(cameras, return_inverse=True)
        if all(clip.constants.get('camera_param') for clip in clips):
            names = [name.rpartition('.')[0] for name in names]
        ids = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._performances = [ids[name] for name in names]
        moments = defaultdict(list)
        for window, clip in enumerate(self.dataset.clip_of_window):
            start = self.dataset.start_of_window[window]
            moments[self._performances[clip], start].append(window)
        self._moments = list(moments.values())
        self._draws_cameras = len(ids) == len(names)
        self._count = self.num_views or 4
        if not self._draws_cameras:
            self._choose_moments()

    def _choose_moments(self) -> None:
        """Keep the moments that enough real cameras see."""
        kinds = {type(transform).__name__ for transform in self.pipeline.transforms}
        if kinds - {'SeedTransforms'}:
            raise ValueError(
                f'pipeline: only SeedTransforms is possible for views of real cameras, '
                f'got {sorted(kinds)}'
            )
        most = max(map(len, self._moments))
        self._count = self.num_views or most
        if most < max(2, self._count):
            raise ValueError(
                f'num_views must be from 2 to {most}, the largest number of cameras '
                f'that see a moment, got {self.num_views}'
            )
        seen = [views for views in self._moments if len(views) >= self._count]
        if len(seen) < len(self._moments):
            MMLogger.get_current_instance().warning(
                f'{len(self._moments) - len(seen)} of {len(self._moments)} moments are '
                f'left out, as fewer than {self._count} cameras see them'
            )
            self._moments = seen

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def subject_of_window(self) -> np.ndarray:
        """Each moment's subject, (S,) of str; for samplers."""
        return self.dataset.subject_of_window[[views[0] for views in self._moments]]

    @property
    def frames_of_subject(self) -> dict[str, int]:
        """Frames of each subject; for samplers."""
        return self.dataset.frames_of_subject

    def __getitem__(self, idx: int) -> dict:
        windows = self._moments[idx]
        info = self.pipeline(self.dataset.get_data_info(windows[0]))
        if self._draws_cameras:
            # A pipeline may change its input in place, so that each view needs a copy.
            infos = [
                {k: v if callable(v) else deepcopy(v) for k, v in info.items()}
                for _ in range(self._count)
            ]
            cameras = list(range(self._count))
        else:
            order = np.array(windows)
            if not self.dataset.test_mode:
                order = np.random.permutation(order)
            order = order[: self._count]
            infos = [self.dataset.get_data_info(int(window)) for window in order]
            cameras = self._cameras[self.dataset.clip_of_window[order]].tolist()
        views = [self.dataset.pipeline(info) for info in infos]
        inputs = torch.stack([view['inputs'] for view in views])
        mirrored = not self.dataset.test_mode and np.random.rand() < self.mirror_prob
        if mirrored:
            inputs = mirror_poses(inputs, self.metainfo['flip_indices'])
        performance = self._performances[self.dataset.clip_of_window[windows[0]]]
        metainfo = dict(
            id=idx,
            performance=2 * performance + int(mirrored),
            frame=int(info['frame']),
            cameras=cameras,
            subject=info['subject'],
            dataset_name=info['dataset_name'],
        )
        return dict(inputs=inputs, data_samples=PoseDataSample(metainfo=metainfo))
