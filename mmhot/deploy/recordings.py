"""Networks of many small operations, called without Python in between."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from mmhot.deploy.tracing import being_traced
from mmhot.models.layers.precision import in_autocast

_MOST_SAMPLES = 4
_MOST_SHAPES = 8


class Recordings(nn.Module):
    """Runs a module's ``extract``, for inference on a CPU from a recording.

    With one window the time of a small network is mostly that of Python calling its
    operations. Once ``switch_to_deploy`` was called, what ``extract`` does is recorded
    for each shape of few samples (``torch.jit.trace``), and repeated. Everything else
    runs as it is written: training, large batches, mixed precision, other devices, and
    whatever looks at single operations.
    """

    def __init__(self) -> None:
        super().__init__()
        self.programs: dict | None = None

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        """Return ``module.extract(x)``.

        Args:
            module (nn.Module): Must do the same to all inputs of a shape.
            x (Tensor): Samples, (B, ...).
        """
        if self.programs is None or not _can_record(x):
            return module.extract(x)
        key = (x.shape, x.dtype)
        if key not in self.programs:
            if len(self.programs) == _MOST_SHAPES:
                return module.extract(x)
            self.programs[key] = _record(module, x)
        return self.programs[key](x)

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """From now on weights stay as they are."""
        if self.programs is None:
            self.programs = {}

    def __getstate__(self) -> dict:
        """Leave recordings out of copies, which may get other weights."""
        state = self.__dict__.copy()
        state['programs'] = None if self.programs is None else {}
        return state


def _can_record(x: Tensor) -> bool:
    fits = len(x) <= _MOST_SAMPLES and x.device.type == 'cpu'
    special = (
        torch.is_grad_enabled()
        or in_autocast(x)
        or being_traced()
        or is_in_torch_dispatch_mode()  # what counts operations; fails in recordings
    )
    return fits and not special


class _Extract(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module.extract(x)


def _record(module: nn.Module, x: Tensor) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        # numbers become constants, as they should
        warnings.simplefilter('ignore')
        program = torch.jit.trace(_Extract(module).eval(), x, check_trace=False)
        return torch.jit.optimize_for_inference(program)
