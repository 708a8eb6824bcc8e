"""Orthogonalised steps for weight matrices, AdamW for everything else."""

import torch
from mmpose.registry import OPTIMIZERS
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer


@OPTIMIZERS.register_module()
class MuonAdamW(Optimizer):
    """PyTorch's Muon on weight matrices, its AdamW on other parameters.

    `Muon <https://kellerjordan.github.io/posts/muon/>`_ gives a step of a matrix
    singular values of one. It is for matrices between hidden features: a parameter
    group with ``muon=False`` (in MMEngine's ``paramwise_cfg.custom_keys``) leaves its
    own to AdamW, as embeddings and classifiers should. What has not two axes goes
    there anyhow, but for kernels of convolutions if ``kernels`` is set: these are
    matrices of output channels and all that each sees. Steps are as long as AdamW's
    in the mean (``adjust_lr_fn='match_rms_adamw'``), so that both share learning rate
    and weight decay.

    Args:
        params: Parameters, or groups of them.
        lr (float): Learning rate. Defaults to 1e-3.
        weight_decay (float): Decoupled weight decay. Defaults to 0.01.
        momentum (float): Muon's, Nesterov's kind. Defaults to 0.95.
        betas (tuple[float, float]): AdamW's. Defaults to (0.9, 0.999).
        kernels (bool): Whether kernels of two-dimensional convolutions that mix
            channels are matrices, too. Defaults to False.

    Raises:
        ImportError: If this PyTorch is older than 2.9 and has no Muon.
    """

    def __init__(
        self,
        params: list,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        kernels: bool = False,
    ) -> None:
        self._kernels = kernels
        defaults = dict(lr=lr, weight_decay=weight_decay)
        super().__init__(params, dict(**defaults, muon=True))
        matrices, others = self._split(matrices=True), self._split(matrices=False)
        self.parts: list[Optimizer] = []
        if matrices:
            muon = dict(momentum=momentum, adjust_lr_fn='match_rms_adamw')
            own = [
                {**group, 'params': [_stand_in(each) for each in group['params']]}
                for group in matrices
            ]
            self.parts.append(_find_muon()(own, **defaults, **muon))
        if others:
            self.parts.append(AdamW(others, **defaults, betas=betas, fused=True))
        self._parameters = [group['params'] for group in [*matrices, *others]]
        self._show_groups()

    def _split(self, *, matrices: bool) -> list[dict]:
        """Return groups of the matrices alone, or of all else."""
        groups = [
            {
                **group,
                'params': [
                    parameter
                    for parameter in group['params']
                    if (group['muon'] and self._is_matrix(parameter)) == matrices
                ],
            }
            for group in self.param_groups
        ]
        return [group for group in groups if group['params']]

    def _is_matrix(self, parameter: Tensor) -> bool:
        is_kernel = parameter.ndim == 4 and parameter.shape[1] > 1
        return parameter.ndim == 2 or (self._kernels and is_kernel)

    @property
    def _own_groups(self) -> list[dict]:
        return [group for part in self.parts for group in part.param_groups]

    def _show_groups(self) -> None:
        """Groups as others see them: the settings of both, of the real parameters."""
        self.param_groups = [
            {**group, 'params': parameters}
            for group, parameters in zip(
                self._own_groups, self._parameters, strict=True
            )
        ]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take a step; there must be no closure."""
        if closure is not None:
            raise ValueError('MuonAdamW takes no closure')
        kernels = []
        for shown, own in zip(self.param_groups, self._own_groups, strict=True):
            own.update({key: shown[key] for key in shown if key != 'params'})
            for real, stand_in in zip(shown['params'], own['params'], strict=True):
                if real is not stand_in:
                    kernels.append((real, stand_in))
                    stand_in.data = _as_matrix(real.data)
                    stand_in.grad = None if real.grad is None else _as_matrix(real.grad)
        for part in self.parts:
            part.step()
        for real, stand_in in kernels:
            rows = stand_in.data.unflatten(1, (*real.shape[2:], real.shape[1]))
            real.data.copy_(rows.permute(0, 3, 1, 2))
            stand_in.grad = None

    def state_dict(self) -> dict:
        """Return the states of both."""
        return {'parts': [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take what :meth:`state_dict` returned.

        Raises:
            ValueError: If it is of another optimizer or of other parameters.
        """
        states = state_dict.get('parts', ())
        if len(states) != len(self.parts):
            raise ValueError('the state is of another optimizer than MuonAdamW')
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
        self._show_groups()


def _as_matrix(kernel: Tensor) -> Tensor:
    """A row for each output channel, in one order whatever the memory format."""
    return kernel.permute(0, 2, 3, 1).flatten(1).clone()


def _stand_in(parameter: nn.Parameter) -> nn.Parameter:
    """A kernel as the matrix that Muon takes; matrices stand for themselves."""
    if parameter.ndim == 2:
        return parameter
    return nn.Parameter(_as_matrix(parameter.data))


def _find_muon() -> type[Optimizer]:
    muon = getattr(torch.optim, 'Muon', None)
    if muon is None:
        raise ImportError(f'Muon came with PyTorch 2.9, this is {torch.__version__}')
    return muon
