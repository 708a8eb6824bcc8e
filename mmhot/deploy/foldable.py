"""Layers that compute with combinations of their parameters."""

import torch
from torch import Tensor, nn


class Foldable(nn.Module):
    """Base of layers whose parameters are combined before they meet the input.

    Combined, several small operations become one. While training this is done in
    every pass; ``switch_to_deploy`` does it once and for all and drops the parameters.
    """

    _names: tuple[str, ...] = ()  # of buffers, when deployed

    def fold(self) -> tuple[Tensor, ...]:
        """Combine the parameters."""
        raise NotImplementedError

    def folded(self) -> tuple[Tensor, ...]:
        """Return what :meth:`fold` returns, computed now or when deployed."""
        if not self._names:
            return self.fold()
        return tuple(map(self._buffers.__getitem__, self._names))

    @torch.no_grad()
    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Keep what the parameters combine to, and drop them."""
        constants = self.folded()
        for name, child in [*self._parameters.items(), *self._modules.items()]:
            if isinstance(child, nn.Parameter) or list(child.parameters()):
                delattr(self, name)
        self._names = tuple(f'folded{index}' for index in range(len(constants)))
        for name, constant in zip(self._names, constants, strict=True):
            self.register_buffer(name, constant.contiguous(), persistent=False)


def fold_norm(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that does a normalization's affine part, too.

    Args:
        norm (nn.LayerNorm): Of ``C`` channels.
        linear (nn.Linear): Of ``C`` channels, or of several such, side by side.

    Returns:
        tuple[Tensor, Tensor]: For inputs that are only centered and scaled.
    """
    repeats = linear.in_features // len(norm.weight)
    bias = linear.bias + linear.weight @ norm.bias.repeat(repeats)
    return linear.weight * norm.weight.repeat(repeats), bias
