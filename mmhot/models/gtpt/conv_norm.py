"""Convolution, batch normalization, activation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmhot.deploy.fused_linear import fused_linear
from mmhot.models.layers.precision import full_precision, in_autocast


class ConvNorm(nn.Module):
    """Convolution with a bias, batch normalization and, if asked for, ReLU.

    Weights start as a normal distribution of standard deviation 0.001.

    Args:
        in_channels (int): Input channels.
        out_channels (int): Output channels.
        kernel_size (int): Size of the kernel, odd; sizes of maps are kept but for
            ``stride``. Defaults to 1.
        stride (int): Stride. Defaults to 1.
        groups (int): Groups of the convolution. Defaults to 1.
        activate (bool): Whether ReLU follows. Defaults to True.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.activate = activate
        self.linear = False
        nn.init.normal_(self.conv.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        if self.linear:
            return map_pixels(x, self.conv, self.activate)
        x = self.norm(self._convolve(x))
        return F.relu(x, inplace=True) if self.activate else x

    def _convolve(self, x: Tensor) -> Tensor:
        conv = self.conv
        strided = conv.groups > 1 and conv.stride != (1, 1)
        if not (strided and x.device.type == 'cpu' and in_autocast(x)):
            return conv(x)
        # in bfloat16 its gradient takes seven times as long
        with full_precision(x):
            return conv(x.float()).to(x.dtype)

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Fold the normalization, and make a convolution of single pixels linear."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()
        self.linear = self.conv.kernel_size == (1, 1) and self.conv.groups == 1

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Put output channels in another order, (C', )."""
        tensors = [self.conv.weight, self.conv.bias]
        if isinstance(self.norm, nn.BatchNorm2d):
            norm = self.norm
            tensors += [norm.weight, norm.bias, norm.running_mean, norm.running_var]
        for tensor in tensors:
            tensor.copy_(tensor[order])


def map_pixels(x: Tensor, conv: nn.Conv2d, relu: bool = False) -> Tensor:
    """Apply a convolution with a kernel of one pixel, as a linear layer.

    Args:
        x (Tensor): Map, (B, C, H, W). In ``channels_last`` format, or a slice of the
            channels of such a map, it is read where it is.
        conv (nn.Conv2d): The convolution.
        relu (bool): Whether ReLU follows. Defaults to False.

    Returns:
        Tensor: Map in ``channels_last`` format, (B, C', H, W).
    """
    batch, _, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).flatten(0, 2)
    pixels = fused_linear(pixels, conv.weight.flatten(1), conv.bias, relu)
    return pixels.view(batch, height, width, -1).permute(0, 3, 1, 2)
