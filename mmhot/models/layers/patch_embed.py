"""Tokens from the patches of a feature map."""

import torch
from torch import Tensor, nn

from .fused_linear import FusedLinear


class PatchEmbed(nn.Module):
    """Batch normalisation, patches, and a linear layer on each.

    Args:
        in_channels (int): Channels ``C`` of the map.
        embed_dims (int): Channels ``D`` of a token.
        patch_size (tuple[int, int]): Width and height of a patch.
    """

    def __init__(
        self, in_channels: int, embed_dims: int, patch_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.patch_size = tuple(patch_size)
        width, height = self.patch_size
        self.norm = nn.BatchNorm2d(in_channels)
        self.proj = nn.Linear(height * width * in_channels, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to tokens ``(B, N, D)``, row by row."""
        width, height = self.patch_size
        x = self.norm(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        x = x.unflatten(2, (-1, width)).unflatten(1, (-1, height)).transpose(2, 3)
        return self.proj(x.flatten(1, 2).flatten(2))

    @torch.no_grad()
    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Make the normalisation part of the linear layer."""
        norm, proj = self.norm, self.proj
        if isinstance(norm, nn.Identity):
            return
        width, height = self.patch_size
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        shift = norm.bias - scale * norm.running_mean
        proj.bias += proj.weight @ shift.repeat(height * width)
        proj.weight *= scale.repeat(height * width)
        self.norm, self.proj = nn.Identity(), FusedLinear(proj)
