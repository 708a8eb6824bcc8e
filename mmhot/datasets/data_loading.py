"""Samplers, seeds and the collate function of data loaders."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import FUNCTIONS
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.registry import DATA_SAMPLERS, MODELS, TRANSFORMS
from torch.utils.data import Sampler, get_worker_info

LIFTING_META_KEYS = (
    *('id', 'subject', 'action', 'clip', 'frame', 'target_frame_numbers', 'fps'),
    *('dataset_name', 'camera_param', 'flip_indices', 'target_root', 'root_world'),
    *('camera_axes', 'framing', 'unit_size'),
)


@DATA_SAMPLERS.register_module()
class SubjectBalancedSampler(Sampler):
    """Draw windows evenly over subjects, without replacement where possible.

    Motion capture has tens of minutes of one person and seconds of another. Subjects
    get equal shares of an epoch. Subjects with fewer than ``full_share_frames`` frames
    get less, in proportion, so that a few seconds are not repeated hundreds of times.
    Frames are counted, not windows, because a clip that is hardly longer than a window
    has few windows.

    The order depends on (seed, epoch) only. It is split over the ranks, which all draw
    the same number of windows, as gradients are averaged over ranks.

    Args:
        dataset (ClipDataset | CombinedDataset): Has ``subject_of_window`` and
            ``frames_of_subject``, or ``datasets`` that do. Subjects of different
            datasets are different.
        num_samples (int): Windows per epoch, over all ranks.
        seed (int, optional): By default a random number shared by all ranks.

    Raises:
        ValueError: If a CombinedDataset has ``sample_ratio_factor``.
    """

    # Number of frames that gives a subject its full share of an epoch.
    full_share_frames = 2000

    def __init__(self, dataset, num_samples: int, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_samples = math.ceil(num_samples / self.world_size)  # for each rank
        subject_of_window, frames = _find_subjects(dataset)
        names, subjects = np.unique(subject_of_window, return_inverse=True)
        order = np.argsort(subjects, kind='stable')
        # Windows of each subject, (W,), in the order of the names
        self.windows = np.split(order, np.cumsum(np.bincount(subjects))[:-1])
        share = np.minimum([frames[name] for name in names], self.full_share_frames)
        self.share = share / share.sum()

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this rank's windows."""
        rng = np.random.default_rng([self.seed, self.epoch])
        counts = rng.multinomial(self.num_samples * self.world_size, self.share)
        chosen = []
        for windows, count in zip(self.windows, counts, strict=True):
            # No window is drawn twice before all were drawn once.
            rounds = range(-(-count // len(windows)))
            drawn = [rng.permutation(windows) for _ in rounds] or [windows[:0]]
            chosen.append(np.concatenate(drawn)[:count])
        order = rng.permutation(np.concatenate(chosen))
        return iter(order[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; MMEngine's DistSamplerSeedHook calls this before each one."""
        self.epoch = epoch


def _find_subjects(dataset: Any) -> tuple[np.ndarray, dict[str, int]]:
    """Return the subject of each window, (N,), and the frames of each subject."""
    if not hasattr(dataset, 'datasets'):
        return dataset.subject_of_window, dataset.frames_of_subject
    if getattr(dataset, 'resample', False):
        raise ValueError(
            'SubjectBalancedSampler cannot be combined with sample_ratio_factor of '
            "CombinedDataset: use dict(_delete_=True, type='DefaultSampler')"
        )
    subjects: list[str] = []
    frames: dict[str, int] = {}
    for number, part in enumerate(dataset.datasets):
        names, counts = _find_subjects(part)
        subjects += [f'{number}/{name}' for name in names]
        frames |= {f'{number}/{name}': count for name, count in counts.items()}
    return np.array(subjects), frames


@TRANSFORMS.register_module()
class SeedTransforms(BaseTransform):
    """Seed a worker's generators once per epoch; first of a pipeline.

    The generators of Python, NumPy and PyTorch become a function of (seed, epoch, rank,
    worker), so that a resumed training continues with the same samples. Where combined
    datasets have pipelines of their own, the first one to run seeds.
    :class:`mmhot.engine.hooks.EpochSeedHook` announces the epoch through shared memory,
    also to persistent workers, and seeds the main process itself. Without this hook
    nothing is seeded.
    """

    # Last epoch that a pipeline has seeded this process for
    _seeded_epoch: ClassVar[int] = 0

    def __init__(self) -> None:
        # (seed, epoch + 1, rank), or zeros until an epoch is announced
        self.announced = torch.zeros(3, dtype=torch.int64).share_memory_()

    def announce(self, seed: int, epoch: int, rank: int) -> None:
        """Announce the start of an epoch to all workers."""
        self.announced.copy_(torch.tensor([seed, epoch + 1, rank]))

    def transform(self, results: dict) -> dict:
        """Seed if the epoch is new; the sample stays as it is."""
        worker = get_worker_info()
        seed, epoch, rank = self.announced.tolist()
        if worker is not None and epoch != SeedTransforms._seeded_epoch:
            seed_everything(seed, epoch, rank, worker.id + 1)
            SeedTransforms._seeded_epoch = epoch
        return results


def seed_everything(*key: int) -> None:
    """Seed Python, NumPy and PyTorch with numbers derived from a key."""
    seeds = np.random.SeedSequence([part % 2**32 for part in key]).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])  # noqa: NPY002 MMPose's transforms draw from it
    torch.manual_seed(int(seeds[2]))


@TRANSFORMS.register_module()
class PackLiftingInputs(PackPoseInputs):
    """MMPose's ``PackPoseInputs`` for :class:`ClipDataset`, with metainfo for metrics.

    Args:
        meta_keys (Sequence[str]): Entries of the metainfo; missing ones are left out.
    """

    def __init__(self, meta_keys: Sequence[str] = LIFTING_META_KEYS) -> None:
        super().__init__(meta_keys=meta_keys)


@FUNCTIONS.register_module()
def topdown_collate(samples: Sequence[dict]) -> dict:
    """Collate samples of a top-down dataset that ``PackPoseInputs`` packed.

    Labels are stacked into one tensor per name, because PyTorch sends each tensor to
    another process as a shared file, and copies each to a GPU by itself; hundreds of
    tensors per batch slow down the training process.

    Args:
        samples (Sequence[dict]): B samples with ``inputs`` (3, H, W) and
            ``data_samples`` of one person.

    Returns:
        dict: ``inputs`` (B, 3, H, W), B ``data_samples`` without labels, and
        ``labels`` (B, ...) by name.
    """
    people = [sample['data_samples'] for sample in samples]
    labels = [person.gt_instance_labels for person in people]
    for person in people:
        del person.gt_instance_labels
    return {
        'inputs': torch.stack([sample['inputs'] for sample in samples]),
        'data_samples': people,
        'labels': {
            name: torch.cat([label[name] for label in labels])
            for name in labels[0].all_keys()
        },
    }


@MODELS.register_module()
class TopdownDataPreprocessor(PoseDataPreprocessor):
    """MMPose's ``PoseDataPreprocessor``, also for batches of :func:`topdown_collate`.

    It has the same arguments.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Move a batch to the device of the model, and normalize it.

        Labels (B, ...) are split into the labels (1, ...) of each sample again.
        """
        labels = self.cast_data(data.get('labels', {}))
        batch = {name: x for name, x in data.items() if name != 'labels'}
        batch = super().forward(batch, training)
        for row, person in enumerate(batch['data_samples'] if labels else ()):
            own = {name: tensor[row : row + 1] for name, tensor in labels.items()}
            person.gt_instance_labels = InstanceData(**own)
        return batch
