"""Optimizers, mixed precision, and averages of weights."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmpose.registry import MODELS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW, Optimizer


@OPTIMIZERS.register_module()
class MuonAdamW(Optimizer):
    """PyTorch's Muon for weight matrices, its AdamW for all other parameters.

    `Muon <https://kellerjordan.github.io/posts/muon/>`_ orthogonalizes the steps of
    matrices between hidden features. Embeddings and classifiers should use AdamW: give
    them a parameter group with ``muon=False`` (in MMEngine's
    ``paramwise_cfg.custom_keys``). Both share learning rate and weight decay, because
    Muon's steps are scaled to the size of AdamW's (``adjust_lr_fn='match_rms_adamw'``).
    Muon needs PyTorch 2.9.

    Args:
        params (list): Parameters, or groups of them.
        lr (float): Learning rate.
        weight_decay (float): Decoupled weight decay.
    """

    def __init__(
        self, params: list, lr: float = 1e-3, weight_decay: float = 0.01
    ) -> None:
        defaults = dict(lr=lr, weight_decay=weight_decay)
        super().__init__(params, dict(**defaults, muon=True))
        groups: dict[tuple, dict] = {}
        # MMEngine makes a group of each parameter. Parameters with the same optimizer
        # and settings are joined, as large groups are faster.
        for group in self.param_groups:
            settings = {key: group[key] for key in group if key != 'params'}
            for parameter in group['params']:
                is_matrix = group['muon'] and parameter.ndim == 2
                alike = groups.setdefault(
                    (is_matrix, repr(settings)), settings | {'params': []}
                )
                alike['params'].append(parameter)
        matrices = [group for (is_matrix, _), group in groups.items() if is_matrix]
        others = [group for (is_matrix, _), group in groups.items() if not is_matrix]
        self.parts: list[Optimizer] = []
        if matrices:
            muon = dict(**defaults, adjust_lr_fn='match_rms_adamw')
            if not hasattr(torch.optim, 'Muon'):
                raise ImportError(
                    f'MuonAdamW needs PyTorch 2.9 or later, this is {torch.__version__}'
                )
            self.parts.append(torch.optim.Muon(matrices, **muon))
        if others:
            self.parts.append(AdamW(others, **defaults, fused=True))
        self._share_groups()

    def _share_groups(self) -> None:
        """Share the groups of both optimizers, so that schedulers reach them."""
        self.param_groups = [x for part in self.parts for x in part.param_groups]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take a step; closures are not supported."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict:
        """Return the states of both optimizers."""
        return {'parts': [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the states of both optimizers.

        Raises:
            ValueError: If the state belongs to another optimizer or other parameters.
        """
        states = state_dict.get('parts', ())
        if len(states) != len(self.parts):
            raise ValueError(
                'the state is of another optimizer than MuonAdamW: to start from the '
                'weights, set the checkpoint as load_from, without --resume'
            )
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
        self._share_groups()


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16 on any device.

    MMEngine's ``AmpOptimWrapper`` needs a GPU. bfloat16 has the range of float32, so
    that losses need no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass of a model under autocast."""
        device = next(model.parameters()).device.type
        # On a CPU the gradient of fused attention takes 2 to 12 times as long.
        attention = sdpa_kernel(SDPBackend.MATH) if device == 'cpu' else nullcontext()
        precision = torch.autocast(device, torch.bfloat16)
        with super().optim_context(model), precision, attention:
            yield


@MODELS.register_module()
class CosineMomentumEMA(ExponentialMovingAverage):
    """Moving average of weights; the momentum falls to zero along half a cosine.

    At step ``t`` of ``T``, counted from zero, the weight of the model in training is
    ``momentum * (1 + cos(pi t / T)) / 2``. MMEngine's ``EMAHook`` builds it; it has the
    arguments of ``ExponentialMovingAverage``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.steps += 1  # at step 0 MMEngine would copy the model in training

    def avg_func(
        self, averaged_param: Tensor, source_param: Tensor, steps: Tensor
    ) -> None:
        """Move an averaged tensor towards the tensor in training, in place.

        Args:
            averaged_param (Tensor): Tensor of this model, any shape.
            source_param (Tensor): Tensor of the model in training, same shape.
            steps (Tensor): Steps so far, counted from one, a scalar.
        """
        averaged_param.lerp_(source_param, self.momentum_at(int(steps) - 1))

    def momentum_at(self, step: int) -> float:
        """Return the weight of the model in training at a step, counted from 0."""
        total = MessageHub.get_current_instance().get_info('max_iters')
        return self.momentum * (1 + math.cos(math.pi * min(step / total, 1))) / 2
