"""Checks before a run: intact weights of the same model, and known arguments."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path

import torch
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint_with_prefix
from mmpose.models.pose_estimators import PoseLifter
from mmpose.registry import HOOKS
from torch import nn

from mmhot.engine.hooks import model_of
from mmhot.errors import hint_at_names
from mmhot.io.pickles import safe_load
from mmhot.skeletons.joints import configured_skeleton
from mmhot.weights.loading import check_state, describe_differences, find_state


@HOOKS.register_module()
class StartHook(Hook):
    """Refuse wrong starts that MMEngine accepts silently or with a warning.

    These are damaged checkpoints, weights of another model (also for a part with
    ``init_cfg``), unknown arguments of hooks, and two averages of the weights.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check hooks, the file of the checkpoint, and weights of ``init_cfg``."""
        if sum(isinstance(hook, EMAHook) for hook in runner.hooks) > 1:
            raise ValueError(
                "two hooks average the weights, and each would train the other's "
                'average: set default_hooks.ema instead of adding an EMAHook'
            )
        for hook in runner.hooks:
            # Other hooks pass no arguments on, or before the first epoch.
            if isinstance(hook, CheckpointHook):
                _check_arguments(hook, hook.args, runner.save_checkpoint)
        if runner._resume and runner._load_from is None:
            runner._load_from = find_latest_checkpoint(runner.work_dir)
            # MMEngine would start anew, and replace these checkpoints.
            if not runner._load_from and any(Path(runner.work_dir).glob('*.pth')):
                raise ValueError(
                    f'{runner.work_dir} has checkpoints, but no file last_checkpoint '
                    'with the name of the one to resume: set it as load_from'
                )
        source = runner._load_from
        if source is not None and '://' not in source:
            safe_load(source)  # raises an error if it is damaged
        if _is_training(runner):
            for module in runner.model.modules():
                _check_pretrained(module)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights of ``load_from``, and the state of a resumed training."""
        model = model_of(runner)
        source = runner._load_from
        if not _is_training(runner):
            state = find_state(model, source, checkpoint)
            check_state(model, source, state, allows_more=True)
            return
        if runner._resume and not {'meta', 'optimizer'} <= checkpoint.keys():
            raise ValueError(
                f'{source} has weights, but not the state of a training: to start from '
                'them, set it as load_from, without --resume'
            )
        if isinstance(model, PoseLifter) and not runner._resume:
            _fit_joints(model, checkpoint, runner.train_dataloader.dataset.metainfo)
        _check_shapes(model, source, checkpoint)
        if runner._resume:
            # MMEngine would execute the stored config as Python.
            checkpoint['meta'].pop('config', None)


def _check_arguments(hook: Hook, arguments: dict, receiver: Callable) -> None:
    """Refuse arguments of a hook that neither it nor what it passes them on to has."""
    known = [*signature(type(hook)).parameters, *signature(receiver).parameters]
    for name in arguments.keys() - {*known}:
        hint = hint_at_names(name, known)
        raise ValueError(f'{type(hook).__name__}: nothing reads {name!r}{hint}')


def _is_training(runner: Runner) -> bool:
    """Whether the loop of the training is built, not only configured."""
    return isinstance(runner._train_loop, BaseLoop)


def _check_pretrained(module: nn.Module) -> None:
    """Check the weights that ``init_cfg`` of a module loads into it."""
    settings = getattr(module, 'init_cfg', None) or []
    for start in [settings] if isinstance(settings, dict) else settings:
        # init_weights of other packages may convert weights first.
        package = type(module).init_weights.__module__.partition('.')[0]
        if start.get('type') == 'Pretrained' and package in ('mmengine', 'mmhot'):
            name = start['checkpoint']
            prefix = start.get('prefix') or ''
            content = _load_checkpoint_with_prefix(prefix, name, 'cpu')
            _check_shapes(module, name, content)


def _check_shapes(module: nn.Module, source: str, content: dict) -> None:
    """Raise a ValueError if tensors have other shapes than a module's.

    MMEngine would leave such tensors out. Weights are loaded to find them, because
    models may resample tensors to other numbers of kept frames.
    """
    try:
        module.load_state_dict(find_state(module, source, content), strict=False)
    except RuntimeError as error:
        # The first line is a title.
        differences = [line.strip() for line in str(error).splitlines()[1:]]
        raise ValueError(describe_differences(source, differences)) from error


def _fit_joints(model: nn.Module, checkpoint: dict, metainfo: dict) -> None:
    """Fit a lifter's weights for other joints, in place.

    Joints are matched by name. A new joint starts with the weights of the nearest joint
    above it in the tree that the weights know, or else of the first joint.

    Args:
        model (nn.Module): The lifter.
        checkpoint (dict): Checkpoint of a lifter, maybe with other joints; its tensors
            (...) are replaced.
        metainfo (dict): Metainfo of the dataset, with the joints of the model.
    """
    known = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    names = [*(known.get('keypoint_id2name') or {}).values()]
    if not names or len(names) == metainfo.get('num_keypoints'):
        return
    state = checkpoint.get('state_dict', checkpoint)
    skeleton = configured_skeleton(metainfo)
    rows = []  # row of the weights for each joint of the model
    for joint in range(skeleton.num_keypoints):
        while skeleton.joints[joint] not in names and skeleton.parents[joint] >= 0:
            joint = skeleton.parents[joint]
        name = skeleton.joints[joint]
        rows.append(names.index(name) if name in names else 0)
    for key, expected in model.state_dict().items():
        if key in state and state[key].shape != expected.shape:
            for axis, size in enumerate(state[key].shape):
                if (size, expected.shape[axis]) == (len(names), len(rows)):
                    state[key] = state[key].index_select(axis, torch.tensor(rows))
    new = sorted({*skeleton.joints} - {*names})
    print_log(
        f'weights of {len(names)} joints are matched by name; new joints start as the '
        f'joints above them: {", ".join(new) or "none"}',
        'current',
    )
