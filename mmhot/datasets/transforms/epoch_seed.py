"""Randomness that depends on the epoch, not on what ran before."""

import random
from typing import ClassVar

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS
from torch.utils.data import get_worker_info


@TRANSFORMS.register_module()
class SeedTransforms(BaseTransform):
    """Seed a worker's generators once an epoch; first of a pipeline.

    Python's, NumPy's and PyTorch's generators become a function of (seed, epoch,
    rank, worker), so that a resumed training continues with the same samples. Where
    joined datasets have pipelines of their own, the first that is asked seeds.
    :class:`mmhot.engine.hooks.EpochSeedHook` announces the epoch through shared memory,
    which reaches persistent workers too, and seeds the main process itself. Without
    the hook nothing is seeded.
    """

    # of the worker's process, whichever pipeline seeded it
    _seeded_epoch: ClassVar[int] = 0

    def __init__(self) -> None:
        # (seed, epoch + 1, rank); no epoch was announced while it is zero
        self.announced = torch.zeros(3, dtype=torch.int64).share_memory_()

    def announce(self, seed: int, epoch: int, rank: int) -> None:
        """Tell all workers that an epoch begins."""
        self.announced.copy_(torch.tensor([seed, epoch + 1, rank]))

    def transform(self, results: dict) -> dict:
        """Leave the sample as it is."""
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
    np.random.seed(seeds[1])
    torch.manual_seed(int(seeds[2]))
