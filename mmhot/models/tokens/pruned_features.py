"""What a host with a pruner returns."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn


class PrunedFeatures(NamedTuple):
    """What a host with a pruner returns.

    Args:
        feats (Tensor): Features of all frames, or of those kept, (B, T', K, C).
        stages (tuple[Tensor]): Frames kept by each pruner, sorted, (B, t) each.
        num_frames (int): Frames ``T`` of the input.
        recoverer (nn.Module | None): What turns poses of kept frames into poses of
            all, if that is still to be done.
        recovered (bool): Whether features of all frames have been recovered.
    """

    feats: Tensor
    stages: tuple[Tensor, ...]
    num_frames: int
    recoverer: nn.Module | None
    recovered: bool

    @property
    def kept(self) -> Tensor:
        """Frames that went through all layers, (B, t)."""
        return self.stages[-1]

    @property
    def frames(self) -> Tensor | None:
        """Frames that poses are of in the end, (B, t); None if all."""
        if self.recovered or self.recoverer is not None:
            return None
        if self.feats.shape[1] == self.kept.shape[1]:
            return self.kept
        # a host was asked for the center frame alone
        center = (self.num_frames - 1) // 2
        return self.kept.new_full((self.kept.shape[0], 1), center)

    def recover(self, poses: Tensor) -> Tensor:
        """Turn the head's output into poses of all frames, where that is due."""
        if self.recoverer is None:
            return poses
        return self.recoverer(poses, self.kept, self.num_frames)

    def chunk(self, count: int) -> list['PrunedFeatures']:
        """Split the batch into equal parts."""
        stages = zip(*(stage.chunk(count) for stage in self.stages), strict=True)
        return [
            self._replace(feats=feats, stages=kept)
            for feats, kept in zip(self.feats.chunk(count), stages, strict=True)
        ]


def map_features(
    function: Callable[[Tensor], Tensor], feats: Tensor | PrunedFeatures
) -> Tensor | PrunedFeatures:
    """Apply a function to the features of a host, pruned or not."""
    if isinstance(feats, PrunedFeatures):
        return feats._replace(feats=function(feats.feats))
    return function(feats)
