"""Arguments, config, memory and Runner of ``tools/train.py`` and ``tools/test.py``."""

import argparse
import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from traceback import walk_tb
from typing import Any

import mmpose.registry
import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.registry import RUNNERS, Registry
from mmengine.runner import Runner, loops
from torch import nn

from mmhot import compat
from mmhot.engine.hooks import (
    AnnotationHook,
    FiniteLossHook,
    KeypointOrderHook,
    model_of,
)
from mmhot.engine.report import ReportHook
from mmhot.engine.start import StartHook
from mmhot.errors import did_you_mean, explain, hint_at_names
from mmhot.io.pickles import safe_load
from mmhot.weights.checkpoint_configs import arguments_of
from mmhot.weights.hub import is_remote, local_file
from tools.training_data import import_modules_of, use_sample_data

# Parameters of mallopt in malloc.h of the GNU C library, and a value that never trims.
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4
_NEVER = -1
# Settings that others than MMEngine's runner read, and that a config may lack.
_OTHER_SETTINGS = ('auto_scale_lr', 'custom_imports', 'find_unused_parameters')
# Errors that packages raise for wrong settings.
_SETTING_ERRORS = (
    *(AssertionError, AttributeError, ImportError),
    *(LookupError, TypeError, RuntimeError),
)
_HOOKS = (StartHook, ReportHook, KeypointOrderHook, AnnotationHook, FiniteLossHook)
_LOOPS = loops.__file__


class KeyValueAction(DictAction):
    """MMEngine's action, with a clear message for words that are no KEY=VALUE."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Parse the values."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, RecursionError, ValueError):
            parser.error(
                f'{option_string}: wanted KEY=VALUE; lists are [a,b], their elements '
                'numbers or names; put others into a config'
            )


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that the train and test tools of MMPose share."""
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and results')
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed job are started',
    )
    parser.add_argument('--show-dir', help='folder for images of the predictions')
    parser.add_argument(
        '--show', action='store_true', help='show the predictions in a window'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='show every n-th sample only'
    )
    parser.add_argument(
        '--wait-time', type=float, default=1, help='seconds a window stays open'
    )
    parser.add_argument(
        '--sample',
        action='store_true',
        help="two steps on the sample data of the repository's tests, as a trial",
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--cfg-options``, for :func:`merge_options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValueAction,
        metavar='KEY=VALUE',
        help='change settings of the config, for example '
        'train_dataloader.batch_size=64 model.backbone.depth=3; lists as key="[a,b]"',
    )


def check_checkpoint(name: str | None) -> str | None:
    """Fail early if a checkpoint is invalid, before the long start.

    Args:
        name (str, optional): File, or address of the web or the hub. An address is
            fetched here, as MMEngine would run the objects in what it downloads.

    Returns:
        str | None: The file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is damaged, or holds objects that could run code.
    """
    if name is None or ('://' in name and not is_remote(name)):
        return name
    safe_load(path := local_file(name))
    return str(path)


def apply_arguments(
    config: Config, args: argparse.Namespace, options: str = ''
) -> None:
    """Apply the arguments of :func:`add_runner_arguments` to a config, in place.

    The work folder has the name of the config and of ``options``, if none is stated.

    Raises:
        ValueError: If the config lacks a setting that an argument needs.
    """
    config.launcher = args.launcher
    if args.work_dir is not None:
        config.work_dir = args.work_dir
    elif config.get('work_dir') is None or args.sample:
        name = Path(args.config).stem + options + ('_sample' if args.sample else '')
        config.work_dir = str(Path('work_dirs', name))
    if args.sample:
        use_sample_data(config)
    draws = args.show or args.show_dir
    is_lifter = 'Lifter' in str((config.get('model') or {}).get('type'))
    if is_lifter and draws:
        raise ValueError(
            '--show, --show-dir: lifted poses have no images; --worst of '
            'tools/test.py draws them'
        )
    if draws:
        hook = setting(config, 'default_hooks.visualization', '--show')
        hook.enable = True
        hook.show = args.show
        hook.out_dir = args.show_dir
        hook.interval = args.interval
        if args.show:
            hook.wait_time = args.wait_time


def describe_options(options: dict[str, Any] | None) -> str:
    """Describe options in the name of a folder.

    Paths are left out: the same training may read its files elsewhere.

    Example:
        >>> describe_options({'model.backbone.pruner.type': 'UniformPruner'})
        '_pruner.type=UniformPruner'
    """
    named = {k: v for k, v in (options or {}).items() if '/' not in str(v)}
    parts = ('.'.join(key.split('.')[-2:]) + f'={named[key]}' for key in named)
    return re.sub(r'[^\w.=,+-]', '', ''.join(f'_{part}' for part in parts))[:180]


def merge_options(config: Config, options: dict[str, Any] | None) -> None:
    """Apply ``--cfg-options`` to a config, over the other arguments.

    Raises:
        ValueError: If nothing reads a setting, as far as its first name says.
    """
    settings = {*config, *signature(Runner).parameters, *_OTHER_SETTINGS}
    for name in {key.partition('.')[0] for key in options or {}} - settings:
        hint = hint_at_names(name, sorted(settings))
        raise ValueError(f'--cfg-options: nothing reads {name!r}{hint}')
    options = options or {}
    types = {key: find_setting(config, key) for key in options if key[-5:] == '.type'}
    try:
        config.merge_from_dict(options)
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f'--cfg-options: {error}') from error
    for key, before in types.items():
        if before not in (None, options[key]):
            _drop_arguments(config, key.removesuffix('.type'), options)


def find_setting(config: Config, key: str) -> Any:
    """Return a setting such as ``model.backbone.pruner.0.type``, None if missing."""
    value: Any = config
    try:
        for part in key.split('.'):
            value = value[int(part) if isinstance(value, list) else part]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return value


def _drop_arguments(config: Config, key: str, options: dict[str, Any]) -> None:
    """Drop the arguments of a replaced class that the new one does not have.

    Then ``model.backbone.recoverer.type=InterpolationRecoverer`` is enough.
    """
    import_modules_of(config)
    settings = find_setting(config, key)
    kinds = (registry.get(settings.type) for registry in _registries())
    kind = next(filter(None, kinds), None)
    if not isinstance(kind, type):
        return
    for name in {*settings} - {*arguments_of(kind), 'type'}:
        if not any(f'{option}.'.startswith(f'{key}.{name}.') for option in options):
            settings.pop(name)


def keep_freed_memory() -> bool:
    """Keep freed memory in the process, if GNU's C library is there.

    A training step on a CPU allocates the same large tensors again and again. By
    default each one is returned to the system, which clears every page of the next one.
    That takes a tenth to a fifth of the time. The process keeps its peak memory.

    Returns:
        bool: Whether the C library can do so.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL('libc.so.6').mallopt
        return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
    return False


def pin_batches(config: Config) -> None:
    """Pin batches for a GPU, unless a config says otherwise."""
    if torch.cuda.is_available():
        for split in ('train', 'val', 'test'):
            (config.get(f'{split}_dataloader') or {}).setdefault('pin_memory', True)


def build_runner(config: Config) -> Any:
    """Build MMEngine's Runner, or the one the config names."""
    if 'model' not in config:
        raise ValueError(f'{config.filename}: this config has no model')
    if 'preprocess_cfg' in config:
        config.model.setdefault('data_preprocessor', config.preprocess_cfg)
    compat.apply()
    import_modules_of(config)
    with naming_config(config):
        build = RUNNERS.build if 'runner_type' in config else Runner.from_cfg
        runner = build(config)
    model = model_of(runner)
    name = f'{config.filename}: model.test_cfg'
    _check_test_settings(model, name)
    # Metrics compare the poses of all frames.
    if getattr(model, 'drops_frames', False) and model.target == 'all':
        raise ValueError(
            f"{name}.target='all' needs a recoverer; without one set "
            "model.test_cfg.target='center' and num_targets=1 of the datasets"
        )
    return runner


def add_checks(runner: Runner) -> None:
    """Add the hooks of our runtime that MMPose's own configs lack."""
    for kind in _HOOKS:
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())


def _check_test_settings(model: nn.Module, name: str) -> None:
    """Refuse keys of a model's ``test_cfg`` that neither it nor its head reads."""
    for part in (model, getattr(model, 'head', None)):
        known = getattr(part, 'test_settings', None)
        for key in {*(model.test_cfg or {})} - {*known} if known else ():
            hint = hint_at_names(key, known)
            raise ValueError(f'{name}: nothing reads {key!r}{hint}')


@contextmanager
def naming_config(config: Config) -> Iterator:
    """Prefix errors about wrong names and arguments with the file of the config.

    Once a loop runs, only errors of MMEngine's hooks are prefixed, for example about
    the metric that chooses the best checkpoint.

    Raises:
        ValueError: In place of errors that packages raise for wrong settings.
    """
    try:
        yield
    except _SETTING_ERRORS as error:
        codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
        is_hook = Path(codes[-1].co_filename).parts[-3:-1] == ('mmengine', 'hooks')
        runs = any(x.co_name == 'run' and x.co_filename == _LOOPS for x in codes)
        if (runs and not is_hook) or explain(error):
            raise
        text = str(error)
        hint = ''
        if unknown := re.search(r'(\w+) is not in the \S+ registry', text):
            names = {name for x in _registries() for name in x.module_dict}
            text = f'nothing is registered as {unknown[1]!r}'
            hint = did_you_mean(unknown[1], sorted(names))
        elif isinstance(error, KeyError):  # for example the monitored metric
            text = f'there is no {text}'
        elif 'unexpected keyword' in text:
            hint = '; _delete_=True leaves out the arguments of a base config'
        raise ValueError(f'{config.filename}: {text}{hint}') from error


def _registries() -> list[Registry]:
    """List MMPose's registries and MMEngine's."""
    ours = [x for x in vars(mmpose.registry).values() if isinstance(x, Registry)]
    return [*ours, *(x.parent for x in ours if x.parent is not None)]


def setting(config: Config, name: str, option: str) -> ConfigDict:
    """Return the setting of an option; refuse configs that lack it."""
    if (value := find_setting(config, name)) is None:
        raise ValueError(f"{option}: {config.filename} has no '{name}'")
    return value
