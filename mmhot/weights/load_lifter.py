"""Loading of lifters by model name, config or checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from torch import nn

from mmhot.codecs.pose_lifting import CameraEncoding
from mmhot.errors import naming
from mmhot.io.pickles import safe_load
from mmhot.skeletons import joints
from mmhot.skeletons.metainfo import read_metainfo
from mmhot.weights.checkpoint_configs import config_within
from mmhot.weights.config_files import read_config_file
from mmhot.weights.hub import local_file
from mmhot.weights.index import find_shipped, shipped_weights
from mmhot.weights.loading import build_model, load_strictly
from mmhot.weights.names import Model


class LoadedLifter(NamedTuple):
    """Lifter in evaluation mode, and where it is from."""

    name: str  # name for results
    weights: Path
    config: Config
    model: nn.Module


def load_lifter(files: Model) -> LoadedLifter:
    """Build a lifter and load its weights.

    Args:
        files (Model): Files of the lifter, see :func:`mmhot.weights.names.resolve`. If
            there is no config, the one inside the weights is used.

    Returns:
        LoadedLifter: The lifter, on the CPU.

    Raises:
        ValueError: If weights are missing or do not fit, or the model is not a lifter.

    Example::

        model = load_lifter(resolve('nanohtnet_81frm-keep9_cmu-wild', LIFTER)).model
    """
    if not files.weights:
        shipped = ', '.join(shipped_weights()) or 'none'
        raise ValueError(
            f'{files.name}: a config has no weights: give a checkpoint, too, or the '
            f'name of shipped weights: {shipped}'
        )
    weights = find_shipped(files.weights) or local_file(files.weights)
    content = safe_load(weights)
    source = files.config or weights  # a config file, or weights that contain a config
    name = source.stem if source == weights else f'{source.stem} ({weights.name})'
    if source.suffix == '.py':
        config = read_config_file(source)
        built = _build(config, source)
    else:
        config = config_within(
            source, content if source == weights else safe_load(source)
        )
        with naming(source):
            built = _build(config, source)
    load_strictly(built, weights, content)
    return LoadedLifter(name, weights, config, built.eval())


def _build(config: Config, source: Path) -> nn.Module:
    """Build the model of a config; raise a ValueError if it is not a usable lifter."""
    model = config.get('model')
    head = model.get('head') if isinstance(model, dict) else None
    if not isinstance(head, dict) or not head.get('decoder') or 'backbone' not in model:
        raise ValueError(
            f'{source} is not a config of a lifter: its model must have a backbone and '
            'a head with a decoder'
        )
    built = build_model(model, source)
    backbone = built.backbone
    decoder = built.head.decoder
    if not hasattr(backbone, 'num_frames') or not hasattr(backbone, 'num_keep_frames'):
        raise ValueError(
            f'{source}: the backbone must have the attributes num_frames and '
            f'num_keep_frames, which {type(backbone).__name__} lacks'
        )
    if not isinstance(decoder, CameraEncoding):
        raise ValueError(
            f'{source}: the codec must be CameraPoseLifting, PersonCenteredPoseLifting '
            f'or ImageSpacePoseLifting, not {type(decoder).__name__}'
        )
    skeleton = lifter_skeleton(config)
    if decoder.num_keypoints != skeleton.num_keypoints:
        raise ValueError(
            f'{source}: the codec has {decoder.num_keypoints} keypoints, but '
            f'{skeleton.name} has {skeleton.num_keypoints}: state the keypoints in the '
            "config, lifting=dict(metainfo=dict(from_file='my.py'))"
        )
    return built


def lifter_skeleton(config: Config) -> joints.Skeleton:
    """Return the skeleton of a lifter, and register it if it is a new one.

    Args:
        config (Config): Config of the lifter; ``lifting.metainfo`` is the metainfo of
            its keypoints. Defaults to Human3.6M's 17 keypoints.

    Returns:
        Skeleton: The skeleton. Its first joint is the root.
    """
    metainfo = config.get('lifting', {}).get('metainfo')
    if metainfo is None:
        return joints.get_skeleton('h36m-17')
    skeleton = joints.configured_skeleton(metainfo)
    if joints.SKELETONS.get(skeleton.name) is not skeleton:
        skeleton = joints.add_skeleton(
            replace(skeleton, parents=read_metainfo(metainfo).tree(start=0))
        )
    return skeleton
