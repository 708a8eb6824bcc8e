"""Moving averages of models."""

import math

from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class CosineMomentumEMA(ExponentialMovingAverage):
    """Average whose momentum falls to zero along half a cosine.

    At step ``t`` of ``T``, counted from zero, the source weighs
    ``momentum * (1 + cos(pi t / T)) / 2``. The first step already averages; MMEngine's
    classes copy the source there. For MMEngine's ``EMAHook``.

    Args:
        model (nn.Module): The model to average.
        momentum (float): The source's weight at the first step. GTPT's released code
            has 0.004.
        total_steps (int, optional): Number ``T`` of steps; the iterations of the
            training that runs if not given.
        interval (int): Same as in MMEngine.
        device (torch.device, optional): Same as in MMEngine.
        update_buffers (bool): Average BatchNorm's statistics too.
    """

    def __init__(
        self,
        model: nn.Module,
        momentum: float = 0.004,
        total_steps: int | None = None,
        interval: int = 1,
        device=None,
        update_buffers: bool = True,
    ) -> None:
        super().__init__(model, momentum, interval, device, update_buffers)
        self.total_steps = total_steps

    def update_parameters(self, model: nn.Module) -> None:
        """Average the source into this model, at the first step too."""
        if self.steps > 0:
            super().update_parameters(model)
            return
        initial = {key: x.clone() for key, x in self.avg_parameters.items()}
        super().update_parameters(model)  # copies
        for key, average in self.avg_parameters.items():
            if average.is_floating_point():
                average.data.lerp_(initial[key], 1 - self.momentum_at(0))

    def avg_func(
        self, averaged_param: Tensor, source_param: Tensor, steps: int | Tensor
    ) -> None:
        """Average one tensor in place, at a 0-based step."""
        averaged_param.lerp_(source_param, self.momentum_at(int(steps)))

    def momentum_at(self, step: int) -> float:
        """Return the source's weight at a 0-based step."""
        total = self.total_steps or MessageHub.get_current_instance().get_info(
            'max_iters'
        )
        return self.momentum * (1 + math.cos(math.pi * min(step / total, 1))) / 2
