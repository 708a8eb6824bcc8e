"""Rewriting of trained models for inference: same numbers, fewer operations."""

from collections.abc import Callable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmhot.deploy.fused_linear import FusedLinear
from mmhot.deploy.gtpt import fold_patch_norm, fold_upsample, rewrite_head, rewrite_stem
from mmhot.deploy.human_topology import (
    FoldedGraphConv,
    FoldedPartConstraint,
    FoldedTrajectoryEmbed,
)
from mmhot.deploy.recordings import record_forward
from mmhot.deploy.transformer import ProductAttention, use_inplace_gelu
from mmhot.models.gtpt.coarse import PatchEmbed
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.gtpt.stem import GTPTStem, UpSample
from mmhot.models.layers.attention import DotProductAttention
from mmhot.models.layers.blocks import MLP
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.models.lifters.htnet import HTNet
from mmhot.models.lifters.human_topology import IntraPartConstraint
from mmhot.models.lifters.nanohtnet import NanoHTNet, TrajectoryEmbed

# Classes, and what returns the module for inference: a new one, or the same, changed.
# Subclasses stay as they are: they may be more than their weights.
REWRITES: dict[type[nn.Module], Callable[[nn.Module], nn.Module]] = {
    nn.Linear: FusedLinear,
    DotProductAttention: ProductAttention,
    MLP: use_inplace_gelu,
    ModulatedGraphConv: FoldedGraphConv,
    IntraPartConstraint: FoldedPartConstraint,
    TrajectoryEmbed: FoldedTrajectoryEmbed,
    HTNet: record_forward,
    NanoHTNet: record_forward,
    PatchEmbed: fold_patch_norm,
    UpSample: fold_upsample,
    GTPTStem: rewrite_stem,
    GTPTHead: rewrite_head,
}


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Rewrite a model for inference, in place.

    Methods ``switch_to_deploy(test_cfg)`` of MMPose's modules are called, batch
    normalizations become part of the convolutions before them, and modules of
    :data:`REWRITES` are replaced. Parameters may be gone afterwards: such a model can
    neither be trained nor saved. Calling it twice has no further effect.

    Args:
        model (nn.Module): A model with its final weights, on any device.

    Returns:
        nn.Module: The model, in evaluation mode.
    """
    model.eval()
    for module in list(model.modules())[1:]:
        if hasattr(module, 'switch_to_deploy'):
            module.switch_to_deploy(getattr(model, 'test_cfg', None))
    for module in list(model.modules()):
        _fold_batch_norms(module)
    return _rewrite(model)


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold batch normalizations into the convolutions registered just before them.

    MMCV's own function handles two-dimensional convolutions only.
    """
    conv, conv_name = None, ''
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and isinstance(conv, nn.Conv1d | nn.Conv2d):
            setattr(module, conv_name, fuse_conv_bn_eval(conv, child))
            setattr(module, name, nn.Identity())
        conv, conv_name = child, name


def _rewrite(module: nn.Module) -> nn.Module:
    """Rewrite the children of a module, then the module."""
    for name, child in list(module.named_children()):
        rewritten = _rewrite(child)
        if rewritten is not child:
            setattr(module, name, rewritten)
    rewrite = REWRITES.get(type(module))
    return module if rewrite is None else rewrite(module)
