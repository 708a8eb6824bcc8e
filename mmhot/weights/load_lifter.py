"""Loading of lifters by model name, config or checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from torch import nn

from mmhot.codecs.pose_lifting import CameraPoseLifting
from mmhot.compat.checkpoints import safe_load
from mmhot.errors import hint_at_names
from mmhot.skeletons.joints import SKELETONS, Skeleton, add_skeleton, get_skeleton
from mmhot.skeletons.metainfo import read_metainfo
from mmhot.weights.checkpoint_configs import config_within
from mmhot.weights.config_files import find_config, read_config_file
from mmhot.weights.hub import is_remote, local_file
from mmhot.weights.index import (
    DEFAULT_LIFTER,
    SCHEME,
    find_model,
    find_shipped,
    shipped_weights,
)
from mmhot.weights.loading import build_model, load_strictly


class LoadedLifter(NamedTuple):
    """Name for results, file of the weights, config, and model in evaluation mode."""

    name: str
    weights: Path
    config: Config
    model: nn.Module


def load_lifter(
    model: str | Path | None, checkpoint: str | Path | None
) -> LoadedLifter:
    """Build a lifter and load its weights.

    Args:
        model (str or Path, optional): Name of shipped weights, name or alias of a
            model of ``mmhot list``, or a config: a file, or ``mmhot::PATH``. By
            default the shipped model for clips or, given a checkpoint, the config that
            it contains.
        checkpoint (str or Path, optional): A file, the name of shipped weights, or an
            address, see :func:`mmhot.weights.hub.local_file`.

    Raises:
        ValueError: If the name is unknown, or the weights do not fit the model.
        FileNotFoundError: If a file is missing.
    """
    if checkpoint is None and model is None:
        model = SCHEME + DEFAULT_LIFTER
    elif checkpoint is None and is_remote(model):
        model, checkpoint = None, model
    shipped = shipped_weights().values()
    named = None if model is None else _find_config(model, checkpoint is None)
    if checkpoint is None:
        weights = named if named in shipped else None
    else:
        weights = find_shipped(checkpoint) or local_file(checkpoint)
        if weights.is_dir():
            raise IsADirectoryError(f'{checkpoint} is a folder, not a checkpoint')
        named = named or weights
    content = None
    if named in (weights, *shipped):
        content = safe_load(named)
        config = config_within(named, content)
    else:
        config = _read_config(named)
    if weights is None:
        raise ValueError(
            f'{model}: a config has no weights: give a checkpoint as well, or the name '
            f'of shipped weights: {", ".join(shipped_weights()) or "none"}'
        )
    name = named.stem if weights == named else f'{named.stem} ({weights.name})'
    built = _build(config, named)
    load_strictly(built, weights, content if weights == named else safe_load(weights))
    return LoadedLifter(name, weights, config, built.eval())


def _find_config(name: str | Path, with_weights: bool) -> Path:
    """Return the config of a name, or shipped weights, which contain one."""
    if '::' in str(name):
        return find_config(name)
    if not Path(name).is_file() and (model := find_model(str(name))):
        name = model.weights if model.weights and with_weights else model.config
    return find_shipped(name) or Path(name)


def _read_config(path: Path) -> Config:
    """Read a config file; explain what is wrong with another file or name."""
    if path.suffix in ('.pth', '.pt'):
        raise ValueError(f'{path} is a checkpoint, not a config: give it as checkpoint')
    if not path.is_file() and path.suffix != '.py':
        raise ValueError(
            f'{path} is neither a config file nor a shipped model; '
            f'{hint_at_names(str(path), shipped_weights(), "shipped")}'
        )
    return read_config_file(path)


def _build(config: Config, source: Path) -> nn.Module:
    """Build the model of a config; raise ValueError if it is no supported lifter."""
    model = config.get('model')
    head = model.get('head') if isinstance(model, dict) else None
    if not isinstance(head, dict) or not head.get('decoder') or 'backbone' not in model:
        raise ValueError(
            f'{source} is no config of a lifter: its model must have a backbone and a '
            'head with a decoder'
        )
    built = build_model(model, source)
    backbone, decoder = built.backbone, built.head.decoder
    if not hasattr(backbone, 'num_frames') or not hasattr(backbone, 'num_keep_frames'):
        raise ValueError(
            f'{source}: the backbone must have the attributes num_frames and '
            f'num_keep_frames, which {type(backbone).__name__} has not'
        )
    if not isinstance(decoder, CameraPoseLifting):
        raise ValueError(
            f'{source}: the codec must be CameraPoseLifting, PersonCenteredPoseLifting '
            f'or ImageSpacePoseLifting, not {type(decoder).__name__}'
        )
    skeleton = lifter_skeleton(config)
    if decoder.num_keypoints != skeleton.num_keypoints:
        raise ValueError(
            f'{source}: the codec has {decoder.num_keypoints} keypoints and '
            f'{skeleton.name} {skeleton.num_keypoints}: give the metainfo of others as '
            "lifting=dict(metainfo=dict(from_file='my.py'))"
        )
    return built


def lifter_skeleton(config: Config) -> Skeleton:
    """Return the skeleton of a config's ``lifting``; it is found by name from now on.

    That is the one of its ``metainfo``, or else Human3.6M's. Poses are relative to the
    first joint, which is the root.
    """
    metainfo = config.get('lifting', {}).get('metainfo')
    if metainfo is None:
        return get_skeleton('h36m-17')
    skeleton = get_skeleton(metainfo)
    if SKELETONS.get(skeleton.name) is not skeleton:
        parents = read_metainfo(metainfo).tree(start=0)
        skeleton = add_skeleton(replace(skeleton, parents=parents))
    return skeleton
