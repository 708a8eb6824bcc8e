"""Orthogonalised steps for weight matrices, AdamW for everything else."""

import torch
from mmpose.registry import OPTIMIZERS
from torch.optim import AdamW, Optimizer


@OPTIMIZERS.register_module()
class MuonAdamW(Optimizer):
    """PyTorch's Muon on weight matrices, its AdamW on other parameters.

    `Muon <https://kellerjordan.github.io/posts/muon/>`_ gives a step of a matrix
    singular values of one. It is for matrices between hidden features: a parameter
    group with ``muon=False`` (in MMEngine's ``paramwise_cfg.custom_keys``) leaves its
    own to AdamW, as embeddings and classifiers should. What has not two axes goes
    there anyhow. Steps are as long as AdamW's in the mean
    (``adjust_lr_fn='match_rms_adamw'``), so that both share learning rate and weight
    decay.

    Args:
        params: Parameters, or groups of them.
        lr (float): Learning rate. Defaults to 1e-3.
        weight_decay (float): Decoupled weight decay. Defaults to 0.01.
        momentum (float): Muon's, Nesterov's kind. Defaults to 0.95.
        betas (tuple[float, float]): AdamW's. Defaults to (0.9, 0.999).

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
    ) -> None:
        defaults = dict(lr=lr, weight_decay=weight_decay)
        super().__init__(params, dict(**defaults, muon=True))
        matrices, others = self._split(matrices=True), self._split(matrices=False)
        self.parts: list[Optimizer] = []
        if matrices:
            muon = dict(momentum=momentum, adjust_lr_fn='match_rms_adamw')
            self.parts.append(_find_muon()(matrices, **defaults, **muon))
        if others:
            self.parts.append(AdamW(others, **defaults, betas=betas, fused=True))
        self._share_groups()

    def _split(self, *, matrices: bool) -> list[dict]:
        """Return groups of the matrices alone, or of all else."""
        groups = [
            {
                **group,
                'params': [
                    parameter
                    for parameter in group['params']
                    if (group['muon'] and parameter.ndim == 2) == matrices
                ],
            }
            for group in self.param_groups
        ]
        return [group for group in groups if group['params']]

    def _share_groups(self) -> None:
        """Whoever sets a rate here sets it there."""
        self.param_groups = [
            group for part in self.parts for group in part.param_groups
        ]

    def add_param_group(self, param_group: dict) -> None:
        """Take a group of the constructor's; later ones neither part would train."""
        if hasattr(self, 'parts'):
            raise ValueError('MuonAdamW takes no groups after it was made')
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take a step; there must be no closure."""
        if closure is not None:
            raise ValueError('MuonAdamW takes no closure')
        for part in self.parts:
            part.step()

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
        self._share_groups()


def _find_muon() -> type[Optimizer]:
    muon = getattr(torch.optim, 'Muon', None)
    if muon is None:
        raise ImportError(f'Muon came with PyTorch 2.9, this is {torch.__version__}')
    return muon
