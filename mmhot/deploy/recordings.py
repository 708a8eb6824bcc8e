"""Recordings of small networks (``torch.jit.trace``), which run without Python."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from mmhot.models.layers.execution import being_traced

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
    with warnings.catch_warnings():
        # numbers become constants, as they should
        warnings.simplefilter('ignore')
        plain = _PlainForward(module).eval()
        program = torch.jit.trace(plain, x, check_trace=False)
        return torch.jit.optimize_for_inference(program)
