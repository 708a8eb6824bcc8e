"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS, MODELS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from mmhot.errors import hint_at_names


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train in the memory format ``channels_last``.

    Results are equal up to rounding. On a CPU without mixed precision a training step
    of RTMDet-nano, with depthwise convolutions, takes 0.62 of the time.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Change the format, before other hooks copy the model."""
        runner.model.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training equals an uninterrupted one.

    The main process is seeded here; workers of the data loader need
    :class:`SeedTransforms` in the pipeline, which receives the
    epoch from this hook. Checkpoints also store the sampler's seed, which is random
    where a config sets none.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
        _forget_batch_sizes(runner.model)
        for transform in _transforms(runner.train_dataloader.dataset):
            if isinstance(transform, SeedTransforms):
                transform.announce(runner.seed, runner.epoch, rank)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed again, because starting workers draws a random number."""
        if batch_idx == 0 and runner.train_dataloader.num_workers:
            seed_everything(runner.seed, runner.epoch + 1, get_rank(), 0)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the sampler's seed, which determines the order of samples."""
        for sampler in _seeded_samplers(runner):
            checkpoint['meta']['sampler_seed'] = sampler.seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the sampler's seed."""
        if not runner._resume:
            return
        seed = checkpoint['meta'].get('sampler_seed')
        if seed is not None:
            for sampler in _seeded_samplers(runner):
                sampler.seed = seed


def _forget_batch_sizes(model: nn.Module) -> None:
    """Forget the random image size that ``BatchSyncRandomResize`` drew in advance.

    It is drawn one step early by MMDetection and MMPose and is not in checkpoints.
    """
    for module in model.modules():
        if type(module).__name__ == 'BatchSyncRandomResize':
            module._input_size = None


def _seeded_samplers(runner: Runner) -> Iterator[Sampler]:
    """Yield the samplers of the training data that have a seed."""
    for holder in (runner.train_dataloader, runner.train_dataloader.batch_sampler):
        if hasattr(getattr(holder, 'sampler', None), 'seed'):
            yield holder.sampler


def _transforms(dataset: Dataset) -> Iterator:
    """Yield the transforms of a dataset and of the datasets that it wraps."""
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    within = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    for part in within:
        if part is not None:
            yield from _transforms(part)


@HOOKS.register_module()
class FreezeHook(Hook):
    """Keep parts of a model as they are, without gradients, in evaluation mode.

    With several processes the config also needs ``find_unused_parameters=True``.

    Args:
        modules (Sequence[str]): Names of the parts, such as 'backbone'.
        end (int, optional): First epoch that trains them. Defaults to None: all epochs
            keep them.
    """

    def __init__(self, modules: Sequence[str], end: int | None = None) -> None:
        self.modules = list(modules)
        self.end = end

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Freeze or thaw, as validation changes the mode of the whole model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        frozen = self.end is None or runner.epoch < self.end
        for name in self.modules:
            try:
                part = model.get_submodule(name)
            except AttributeError as error:
                raise ValueError(
                    f'FreezeHook: the model has no part {name!r}; '
                    f'{hint_at_names(name, dict(model.named_modules()))}'
                ) from error
            part.requires_grad_(not frozen).train(not frozen)


@HOOKS.register_module()
class GuidanceHook(Hook):
    """Decay the weight of :class:`PatchGuidanceLoss` geometrically to the config's.

    Guidance that is strong enough at the start dominates the loss of keypoints later:
    at a weight of 0.1 its gradient in the coarse layers was 12 to 33 times as long.

    Args:
        factor (float): Factor of the configured weight in the first epoch. Defaults
            to 10.
        end (int): First epoch with the configured weight. Defaults to 3.
    """

    def __init__(self, factor: float = 10.0, end: int = 3) -> None:
        if factor <= 0 or end < 1:
            raise ValueError(
                f'factor must be positive and end at least 1, got {factor} and {end}'
            )
        self.factor = factor
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Store the configured weight."""
        guidance = head_of(runner).guidance
        if guidance is None:
            raise ValueError("GuidanceHook: the head's guidance must be set")
        self.weight = guidance.weight

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's weight."""
        left = max(1 - runner.epoch / self.end, 0)
        head_of(runner).guidance.weight = self.weight * self.factor**left


@HOOKS.register_module()
class KeepRateHook(Hook):
    """Decrease keep rates from one to the configured ones during training.

    GTPT's released code has no such schedule, and no config of ours uses it.
    Validation always uses the configured rates.

    Args:
        end (int): First epoch with the configured rates.
        begin (int): Last epoch without pruning; in between rates fall linearly.
            Defaults to 0.
    """

    def __init__(self, end: int, begin: int = 0) -> None:
        if not 0 <= begin < end:
            raise ValueError(f'begin must be before end, got {begin} and {end}')
        self.begin = begin
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Store the configured rates."""
        self.rates = head_of(runner).keep_rates
        if self.rates is None:
            raise ValueError("KeepRateHook: the head's keep_rates must be set")

    def before_train_epoch(self, runner: Runner) -> None:
        """Set this epoch's rates."""
        share = (runner.epoch - self.begin) / (self.end - self.begin)
        share = min(max(share, 0), 1)
        head_of(runner).keep_rates = tuple(
            1 - share * (1 - rate) for rate in self.rates
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Restore the configured rates."""
        head_of(runner).keep_rates = self.rates


def head_of(runner: Runner):
    """Return the head of the model in training."""
    model = runner.model
    return (model.module if is_model_wrapper(model) else model).head


@OPTIMIZERS.register_module()
class MuonAdamW(Optimizer):
    """PyTorch's Muon for weight matrices, its AdamW for all other parameters.

    `Muon <https://kellerjordan.github.io/posts/muon/>`_ orthogonalizes the steps of
    matrices between hidden features. Embeddings and classifiers should use AdamW: give
    them a parameter group with ``muon=False`` (in MMEngine's
    ``paramwise_cfg.custom_keys``). Both share learning rate and weight decay, because
    Muon's steps are scaled to those of AdamW (``adjust_lr_fn='match_rms_adamw'``).

    Args:
        params: Parameters, or groups of them.
        lr (float): Learning rate. Defaults to 1e-3.
        weight_decay (float): Decoupled weight decay. Defaults to 0.01.
        momentum (float): Nesterov momentum of Muon. Defaults to 0.95.
        betas (tuple[float, float]): Those of AdamW. Defaults to (0.9, 0.999).

    Raises:
        ImportError: If PyTorch is older than 2.9, which has no Muon.
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
        """Return the parameter groups, with Muon's matrices only or without them."""
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
        """Share the groups of both optimizers, so that schedulers reach them."""
        self.param_groups = [
            group for part in self.parts for group in part.param_groups
        ]

    def add_param_group(self, param_group: dict) -> None:
        """Add a group of the constructor's; later ones are refused."""
        if hasattr(self, 'parts'):
            raise ValueError('MuonAdamW takes no groups after it was made')
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take a step; closures are not supported."""
        if closure is not None:
            raise ValueError('MuonAdamW takes no closure')
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict:
        """Return the states of both optimizers."""
        return {'parts': [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state.

        Raises:
            ValueError: If it is that of another optimizer or of other parameters.
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


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16 on any device.

    MMEngine's ``AmpOptimWrapper`` needs a GPU. bfloat16 has the range of float32, so
    that losses need no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast.

        Args:
            model (nn.Module): The model in training.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


@MODELS.register_module()
class CosineMomentumEMA(ExponentialMovingAverage):
    """Moving average of weights whose momentum falls to zero along half a cosine.

    At step ``t`` of ``T``, counted from zero, the source's weight is
    ``momentum * (1 + cos(pi t / T)) / 2``. Unlike MMEngine's, which copies the source
    at the first step, it averages at all steps. For MMEngine's ``EMAHook``.

    Args:
        model (nn.Module): The model to average.
        momentum (float): The source's weight at the first step; 0.004 in GTPT's
            released code. Defaults to 0.004.
        total_steps (int, optional): Number ``T`` of steps. Defaults to the iterations
            of the training.
        interval (int): Same as in MMEngine.
        device (torch.device, optional): Same as in MMEngine.
        update_buffers (bool): Whether to average the statistics of BatchNorm.
            Defaults to True.
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
        """Average the source into this model, also at the first step."""
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
        """Average one tensor in place."""
        averaged_param.lerp_(source_param, self.momentum_at(int(steps)))

    def momentum_at(self, step: int) -> float:
        """Return the source's weight at a step, counted from zero."""
        total = self.total_steps or MessageHub.get_current_instance().get_info(
            'max_iters'
        )
        return self.momentum * (1 + math.cos(math.pi * min(step / total, 1))) / 2
