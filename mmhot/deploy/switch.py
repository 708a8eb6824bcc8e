"""Models rewritten for inference: the same numbers with fewer operations."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmhot.deploy.fused_linear import fuse_linears


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Rewrite a model for inference, in place.

    Modules that have a method ``switch_to_deploy(test_cfg)``, as MMPose's have it, are
    told, batch normalizations become part of the convolutions before them, and linear
    layers are those for inference. What was a parameter may be gone afterwards: such a
    model can neither be trained nor saved. Doing it twice does no harm.

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
    fuse_linears(model)
    return model


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold batch normalizations into the convolutions registered just before them.

    MMCV's own function knows two-dimensional convolutions only.
    """
    conv, conv_name = None, ''
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and isinstance(conv, nn.Conv1d | nn.Conv2d):
            setattr(module, conv_name, fuse_conv_bn_eval(conv, child))
            setattr(module, name, nn.Identity())
        conv, conv_name = child, name
