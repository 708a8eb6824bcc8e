"""Which windows an epoch sees."""

from collections.abc import Iterator

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class SubjectBalancedSampler(Sampler):
    """Draws windows evenly over subjects, without replacement where it can.

    Motion capture has tens of minutes of one person and seconds of another. Each
    subject gets an equal share of an epoch, but for subjects with fewer than
    ``full_share`` frames: their share shrinks in proportion, so that a few seconds
    are not repeated hundreds of times. Frames count, as a clip hardly longer than a
    window has few windows, however much it shows.

    The order is a function of (seed, epoch) alone and is split over the ranks.

    Args:
        dataset (ClipDataset): Has ``subject_of_window`` and ``frames_of_subject``.
        num_samples (int): Windows an epoch, over all ranks.
        full_share (int): Frames from which on a subject gets its full share.
        seed (int, optional): By default a number that all ranks agree on.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(
        self,
        dataset,
        num_samples: int,
        full_share: int = 2000,
        seed: int | None = None,
    ) -> None:
        if num_samples < 1 or full_share < 1:
            raise ValueError(
                f'num_samples ({num_samples}) and full_share ({full_share}) must be '
                'positive'
            )
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        # all ranks draw the same number, as gradients are averaged over ranks
        self.num_samples = -(-num_samples // self.world_size)
        names, subjects = np.unique(dataset.subject_of_window, return_inverse=True)
        order = np.argsort(subjects, kind='stable')
        self.windows = np.split(order, np.cumsum(np.bincount(subjects))[:-1])
        frames = dataset.frames_of_subject
        share = np.minimum([frames[name] for name in names], full_share)
        self.share = share / share.sum()

    def __iter__(self) -> Iterator[int]:
        """Indices of this rank's windows."""
        rng = np.random.default_rng([self.seed, self.epoch])
        total = self.num_samples * self.world_size
        counts = rng.multinomial(total, self.share)
        chosen = [
            _draw(rng, windows, count)
            for windows, count in zip(self.windows, counts, strict=True)
        ]
        order = rng.permutation(np.concatenate(chosen))
        return iter(order[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        """Windows that this rank draws an epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch by MMEngine's DistSamplerSeedHook."""
        self.epoch = epoch


def _draw(rng: np.random.Generator, items: np.ndarray, count: int) -> np.ndarray:
    """Draw ``count`` items; none twice before all were drawn."""
    rounds = -(-count // len(items))
    drawn = [rng.permutation(items) for _ in range(rounds)]
    return np.concatenate(drawn)[:count] if drawn else items[:0]


@DATA_SAMPLERS.register_module()
class PartSampler(Sampler):
    """Draws a part of a dataset each epoch, so that epochs and checkpoints are short.

    Epoch by epoch the parts make up the whole dataset in random order, then again in
    another. The order is a function of (seed, epoch) alone and is split over the ranks,
    so that a training that is resumed goes on with what comes next.

    Args:
        dataset (Dataset): What to draw from.
        num_samples (int): Samples an epoch, over all ranks.
        seed (int, optional): By default a number that all ranks agree on.

    Raises:
        ValueError: If ``num_samples`` is not positive.
    """

    def __init__(self, dataset, num_samples: int, seed: int | None = None) -> None:
        if num_samples < 1:
            raise ValueError(f'num_samples must be positive, got {num_samples}')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_total = len(dataset)
        # all ranks draw the same number, as gradients are averaged over ranks
        self.num_samples = -(-num_samples // self.world_size)

    def __iter__(self) -> Iterator[int]:
        """Indices of this rank's samples."""
        part = self.num_samples * self.world_size
        positions = np.arange(part) + self.epoch * part
        rounds, places = np.divmod(positions, self.num_total)
        order = np.empty(part, np.int64)
        for number in np.unique(rounds):
            shuffled = np.random.default_rng([self.seed, number]).permutation(
                self.num_total
            )
            here = rounds == number
            order[here] = shuffled[places[here]]
        return iter(order[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        """Samples that this rank draws an epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch by MMEngine's DistSamplerSeedHook."""
        self.epoch = epoch
