"""Hooks of the Runner: seeds, frozen parts, losses, annotations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset, Sampler

from mmhot.datasets.coco_checks import annotation_faults
from mmhot.datasets.data_loading import SeedTransforms, seed_everything
from mmhot.errors import hint_at_names
from mmhot.models.gtpt.grouping import NamedGroups


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training equals an uninterrupted one.

    The main process is seeded here. Workers of the data loader need
    :class:`SeedTransforms` in the pipeline; this hook announces the epoch to it.
    Checkpoints also store the sampler's seed, which is random unless a config sets it.
    They do not store the size that ``BatchSyncRandomResize`` draws one step early.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed with (the runner's seed, epoch, rank)."""
        rank = get_rank()
        seed_everything(runner.seed, runner.epoch + 1, rank, 0)
        for transform in _transforms(runner.train_dataloader.dataset):
            if isinstance(transform, SeedTransforms):
                transform.announce(runner.seed, runner.epoch, rank)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Seed again, because starting workers draws a random number."""
        if batch_idx == 0 and runner.train_dataloader.num_workers:
            seed_everything(runner.seed, runner.epoch + 1, get_rank(), 0)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the sampler's seed, which determines the order of samples."""
        sampler = _sampler_of(runner)
        if hasattr(sampler, 'seed'):
            checkpoint['meta']['sampler_seed'] = sampler.seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the sampler's seed."""
        seed = checkpoint.get('meta', {}).get('sampler_seed')
        if runner._resume and seed is not None:
            _sampler_of(runner).seed = seed


def _sampler_of(runner: Runner) -> Sampler:
    """Return the sampler of the samples of training."""
    loader = runner.train_dataloader
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _transforms(dataset: Dataset) -> Iterator:
    """Yield the transforms of a dataset and of the datasets that it wraps."""
    for part in _datasets(dataset):
        yield from getattr(getattr(part, 'pipeline', None), 'transforms', ())


def _datasets(dataset: Dataset) -> Iterator[Dataset]:
    """Yield a dataset and the datasets that it wraps."""
    yield dataset
    for part in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if part is not None:
            yield from _datasets(part)


@HOOKS.register_module()
@dataclass(eq=False)
class FreezeHook(Hook):
    """Freeze parts of a model: no gradients, and evaluation mode.

    With several processes the config also needs ``find_unused_parameters=True``.
    """

    modules: Sequence[str]  # names of the frozen parts, such as 'backbone'
    # Names of parts within the frozen ones that are trained, such as
    # 'backbone.hourglass.recoverer'
    trained: Sequence[str] = ()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Freeze again, as validation changes the mode of the whole model."""
        model = model_of(runner)
        for name in (*self.modules, *self.trained):
            try:
                part = model.get_submodule(name)
            except AttributeError as error:
                raise ValueError(
                    f'FreezeHook: the model has no part {name!r}'
                    f'{hint_at_names(name, dict(model.named_modules()))}'
                ) from error
            is_trained = name in self.trained
            part.requires_grad_(is_trained).train(is_trained)


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop a training when its loss is not finite, without saving the weights."""

    priority = 'LOW'  # before CheckpointHook, which saves the weights
    # Steps in a row without a finite loss after which the training stops. In mixed
    # precision a single step may overflow.
    patience = 10
    streak = 0  # last steps in a row without a finite loss

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Count the steps in a row without a finite loss."""
        self.streak = 0 if outputs['loss'].isfinite().all() else self.streak + 1
        if self.streak >= self.patience:
            first = runner.iter + 2 - self.streak
            self._stop(f'the loss is not finite since step {first}', runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite."""
        for name, parameter in runner.model.named_parameters():
            if not parameter.isfinite().all():
                self._stop(f'{name} is not finite', runner)

    def _stop(self, what: str, runner: Runner) -> None:
        """Raise a ValueError with advice and the last checkpoint."""
        saved = find_latest_checkpoint(runner.work_dir)
        raise ValueError(
            f'stopped in epoch {runner.epoch + 1}, {what}: lower '
            'optim_wrapper.optimizer.lr or set optim_wrapper.clip_grad; '
            + (f'last checkpoint: {saved}' if saved else 'no checkpoint was saved')
        )


@HOOKS.register_module()
class KeypointOrderHook(Hook):
    """Compare the keypoints of the head and of the datasets, before the run.

    Heads of MMPose have the number of their keypoints, heads with groups also names and
    order. They agree if head and dataset have the same ``metainfo``. Otherwise the
    model would train on wrong keypoints without an error.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise a ValueError if keypoints differ in number, name or order."""
        head = getattr(model_of(runner), 'head', None)
        for loop in _loops(runner):
            dataset = loop.dataloader.dataset
            kinds = {type(transform).__name__ for transform in _transforms(dataset)}
            # A combined dataset has the metainfo of converted keypoints.
            if hasattr(dataset, 'datasets') or 'KeypointConverter' not in kinds:
                _compare_keypoints(head, dataset.metainfo)


@HOOKS.register_module()
class AnnotationHook(Hook):
    """Refuse faulty annotations in COCO's format, before the run.

    MMPose would leave people out, train on wrong keypoints, or stop at an image.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise a ValueError that names the file and its first fault."""
        for loop in _loops(runner):
            metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', ())
            for dataset in _datasets(loop.dataloader.dataset):
                for fault in annotation_faults(dataset, metrics):
                    raise ValueError(f'{dataset.ann_file}: {fault}')


def _loops(runner: Runner) -> list[BaseLoop]:
    """List the loops that are built, not only configured."""
    loops = (runner._train_loop, runner._val_loop, runner._test_loop)
    return [loop for loop in loops if isinstance(loop, BaseLoop)]


def _compare_keypoints(head: nn.Module | None, metainfo: dict) -> None:
    """Raise a ValueError if a head has other keypoints than a dataset."""
    dataset = metainfo.get('dataset_name')
    wanted = metainfo.get('num_keypoints')
    count = _count_keypoints(head)
    if None not in (wanted, count) and wanted != count:
        raise ValueError(
            f'model.head has {count} keypoints, but the dataset {dataset!r} has '
            f'{wanted}: give both the same metainfo'
        )
    names = metainfo.get('keypoint_id2name')
    groups = getattr(head, 'groups', None)
    if not names or not isinstance(groups, NamedGroups):
        return
    for index, joint in enumerate(groups.joints):
        if joint != names[index]:
            raise ValueError(
                f'keypoint {index} is {joint} in model.head ({groups.skeleton}), but '
                f'{names[index]} in the dataset {dataset!r}: give both the same '
                'metainfo'
            )


def _count_keypoints(head: nn.Module | None) -> int | None:
    """Return the number of keypoints of a head; None if it is not known."""
    decoder = getattr(head, 'decoder', None)
    counts = (
        getattr(head, 'num_keypoints', None),
        getattr(decoder, 'num_keypoints', None),
        # This is last, as lifters' out_channels are coordinates.
        getattr(head, 'out_channels', None),
    )
    count = next((count for count in counts if isinstance(count, int)), None)
    # UDP's offsets add two channels to each keypoint.
    is_combined = getattr(decoder, 'heatmap_type', None) == 'combined'
    return count // 3 if count and is_combined else count


def model_of(runner: Runner) -> nn.Module:
    """Return the model of a runner, without the wrapper of distributed training."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
