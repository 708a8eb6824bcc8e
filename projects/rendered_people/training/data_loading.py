"""Parts of epochs, and collation of detection samples."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import FUNCTIONS
from mmengine.structures import InstanceData
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Dataset, Sampler


@DATA_SAMPLERS.register_module()
class PartialEpochSampler(Sampler):
    """Draw a part of a dataset per epoch, for short epochs and frequent checkpoints.

    Successive parts make up the whole dataset in random order, then again in another
    order. A resumed training continues with the next part. The order is a function of
    (seed, epoch) alone and is split over the ranks, all of which draw the same number.

    Args:
        dataset (Dataset): Dataset to draw from.
        num_samples (int): Samples per epoch, over all ranks.
        seed (int, optional): By default a random number shared by all ranks.

    Raises:
        ValueError: If ``num_samples`` is not positive.
    """

    def __init__(
        self, dataset: Dataset, num_samples: int, seed: int | None = None
    ) -> None:
        if num_samples < 1:
            raise ValueError(f'num_samples must be positive, got {num_samples}')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_samples = -(-num_samples // self.world_size)
        self.num_total = len(dataset)

    def __iter__(self) -> Iterator[int]:
        """Samples of this rank."""
        count = self.num_samples * self.world_size
        positions = np.arange(count) + self.epoch * count
        rounds, places = np.divmod(positions, self.num_total)
        order = np.empty(count, np.int64)
        for number in np.unique(rounds):
            rng = np.random.default_rng([self.seed, number])
            is_here = rounds == number
            order[is_here] = rng.permutation(self.num_total)[places[is_here]]
        return iter(order[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        """Samples of this rank per epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; called by MMEngine's DistSamplerSeedHook before each."""
        self.epoch = epoch


class _DetectionSamples(list):
    """Samples of MMDetection, whose labeled boxes are pickled as one array."""

    def __reduce__(self) -> tuple:
        """Pickle boxes (sum of G, 4) and their numbers."""
        boxes = [sample.gt_instances.bboxes.tensor for sample in self]
        infos = [sample.metainfo for sample in self]
        return _unpack, (infos, torch.cat(boxes).numpy(), list(map(len, boxes)))


def _unpack(infos: list[dict], boxes: np.ndarray, counts: list[int]) -> list:
    from mmdet.structures import DetDataSample

    samples = []
    for info, own in zip(infos, torch.from_numpy(boxes).split(counts), strict=True):
        sample = DetDataSample(metainfo=info)
        labels = torch.zeros(len(own), dtype=torch.int64)
        sample.gt_instances = InstanceData(bboxes=own, labels=labels)
        samples.append(sample)
    return samples


@FUNCTIONS.register_module()
def detection_collate(samples: Sequence[dict]) -> dict:
    """Collate samples of one class that ``PackDetInputs`` packed.

    Ignored boxes are dropped, as RTMDet does not use them.

    Args:
        samples (Sequence[dict]): B samples with ``inputs``, an image (3, H, W) of one
            size, and ``data_samples``.

    Returns:
        dict: ``inputs`` (B, 3, H, W) and ``data_samples``, a list of B.
    """
    return {
        'inputs': torch.stack([sample['inputs'] for sample in samples]),
        'data_samples': _DetectionSamples(sample['data_samples'] for sample in samples),
    }
