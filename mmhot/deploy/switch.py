"""Rewriting of models, for inference and for training on a CPU: same numbers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from mmhot.deploy.gtpt import fold_patch_norm, fold_upsample, rewrite_head, rewrite_stem
from mmhot.deploy.human_topology import (
    FoldedGraphConv,
    FoldedPartConstraint,
    FoldedTrajectoryEmbed,
)
from mmhot.deploy.transformer import (
    FusedLinear,
    ProductAttention,
    TrainedAttention,
    UniformDropout,
    use_inplace_gelu,
)
from mmhot.errors import ignored_warnings
from mmhot.models.gtpt.coarse import PatchEmbed
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.gtpt.stem import GTPTStem, UpSample
from mmhot.models.layers.attention import DotProductAttention
from mmhot.models.layers.blocks import MLP, being_traced
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.models.lifters.htnet import HTNet, IntraPartConstraint
from mmhot.models.lifters.nanohtnet import NanoHTNet, TrajectoryEmbed

# Devices on which models run in half precision, and what reads their outputs.
_HALF_DEVICE = 'cuda'
_DECODERS = ('decode', 'predict_by_feat')
_MOST_SAMPLES = 4
_MOST_SHAPES = 8


class RecordedForward:
    """Forward pass of a network, repeated from a recording for few samples on a CPU.

    With one window the time of a small network is mostly that of Python calling its
    operations, so they are recorded once for each shape. Other passes run as they are
    written: with gradients, large batches, mixed precision, on other devices, and
    while operations are counted or traced.

    Args:
        module (nn.Module): Network that maps ``(B, T, K, C)``, with ``num_frames``.
            Its operations must depend on the shape alone.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.programs: dict = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Run the network."""
        if not self._can_record(x):
            return _run_plainly(self.module, x)
        key = (x.shape, x.dtype)
        if key not in self.programs:
            if len(self.programs) == _MOST_SHAPES:
                return _run_plainly(self.module, x)
            self.programs[key] = _record(self.module, x)
        return self.programs[key](x)

    def _can_record(self, x: Tensor) -> bool:
        fits = len(x) <= _MOST_SAMPLES and x.device.type == 'cpu'
        fits = fits and x.shape[1] == self.module.num_frames
        special = (
            torch.is_grad_enabled()
            or torch.is_autocast_enabled('cpu')
            or being_traced()
            or is_in_torch_dispatch_mode()  # counts operations; fails in recordings
        )
        return fits and not special

    def __getstate__(self) -> dict:
        """Leave recordings out of copies, which may get other weights."""
        return {**self.__dict__, 'programs': {}}


def record_forward(module: nn.Module) -> nn.Module:
    """Let a network repeat its forward pass from recordings."""
    if 'forward' not in vars(module):
        module.forward = RecordedForward(module)
    return module


class _PlainForward(nn.Module):
    """A module that is traced with its parameters, but without the recording."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return _run_plainly(self.module, x)


def _run_plainly(module: nn.Module, x: Tensor) -> Tensor:
    return type(module).forward(module, x)


def _record(module: nn.Module, x: Tensor) -> torch.jit.ScriptModule:
    with ignored_warnings():  # numbers become constants, as they should
        plain = _PlainForward(module).eval()
        program = torch.jit.trace(plain, x, check_trace=False)
        return torch.jit.optimize_for_inference(program)


Rewrites = dict[type[nn.Module], Callable[[nn.Module], nn.Module]]

# Classes, and what returns the module for inference: a new one, or the same, changed.
# Subclasses stay as they are: they may be more than their weights.
REWRITES: Rewrites = {
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
# The same for training, where modules have the same parameters.
TRAINING_REWRITES: Rewrites = {
    DotProductAttention: TrainedAttention,
    nn.Dropout: UniformDropout,
}


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Rewrite a model for inference, in place and in evaluation mode.

    Methods ``switch_to_deploy(test_cfg)`` of MMPose's modules are called, batch
    normalizations become part of the convolutions before them, and modules of
    :data:`REWRITES` are replaced. Parameters may be gone afterwards: such a model can
    neither be trained nor saved. Calling it twice has no further effect.

    Args:
        model (nn.Module): A model with its final weights, on any device.
    """
    model.eval()
    for module in list(model.modules())[1:]:
        if hasattr(module, 'switch_to_deploy'):
            module.switch_to_deploy(getattr(model, 'test_cfg', None))
    for module in list(model.modules()):
        _fold_batch_norms(module)
    return _rewrite(model, REWRITES)


def move_to_device(model: nn.Module, device: str | torch.device) -> nn.Module:
    """Move a model to a device; on a GPU, prepare it for :func:`half_precision`.

    There convolutions are ``channels_last``, and heads of MMPose and MMDetection decode
    their outputs in full precision.
    """
    if torch.device(device).type != _HALF_DEVICE:
        return model.to(device)
    for module in model.modules():
        for name in _DECODERS:
            if hasattr(module, name):
                setattr(module, name, _InFloat32(getattr(module, name)))
    return model.to(device, memory_format=torch.channels_last)


def half_precision(device: str | torch.device) -> torch.autocast:
    """Return a context in which matrix products and convolutions on a GPU are 16-bit.

    Elsewhere it has no effect.
    """
    return torch.autocast(
        _HALF_DEVICE,
        torch.float16,
        enabled=torch.device(device).type == _HALF_DEVICE,
    )


def copy_to_device(x: Tensor, device: str | torch.device) -> Tensor:
    """Copy a tensor from a CPU; to a GPU from pinned memory, without waiting."""
    if torch.device(device).type == _HALF_DEVICE:
        x = x.pin_memory()
    return x.to(device, non_blocking=True)


class _InFloat32:
    """A method that receives 16-bit tensors as float32, also those in sequences."""

    def __init__(self, method: Callable) -> None:
        self.method = method

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.method(*map(_as_float32, args), **named)


def _as_float32(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.float() if x.is_floating_point() else x
    return type(x)(map(_as_float32, x)) if type(x) in (list, tuple) else x


def rewrite_for_training(model: nn.Module) -> nn.Module:
    """Replace modules of :data:`TRAINING_REWRITES` in a model, in place."""
    return _rewrite(model, TRAINING_REWRITES)


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


def _rewrite(module: nn.Module, rewrites: Rewrites) -> nn.Module:
    """Rewrite the children of a module, then the module."""
    for name, child in list(module.named_children()):
        rewritten = _rewrite(child, rewrites)
        if rewritten is not child:
            setattr(module, name, rewritten)
    rewrite = rewrites.get(type(module))
    return module if rewrite is None else rewrite(module)
