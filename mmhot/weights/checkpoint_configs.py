"""Configs inside checkpoints, checked so that untrusted checkpoints are safe to use.

The text of a config is parsed and never executed. Models may only have classes from
listed modules, with arguments that their constructors have. No file that a config names
is opened: the name of a metainfo file is replaced by its content.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS
from mmpose.registry import KEYPOINT_CODECS

from mmhot.errors import naming, one_line
from mmhot.skeletons.metainfo import find_shipped_file, read_metainfo
from mmhot.weights.config_files import parse_config_text

# Keys of a config that are read. The other keys are settings for training.
_SETTINGS = ('default_scope', 'codec', 'model', 'lifting')
_SCOPES = ('mmpose', 'mmdet', 'mmengine')
# Registry of the types under a key. Types under other keys are in MODELS.
_REGISTRIES = {
    **dict.fromkeys(('codec', 'decoder'), KEYPOINT_CODECS),
    **dict.fromkeys(('anchor_generator', 'assigner', 'bbox_coder'), TASK_UTILS),
}
# Classes of these packages must be in one of these modules, whose classes read no file
# and import nothing. Classes of other packages are permitted: the user registered them.
_PACKAGES = {'mmpose', 'mmdet', 'mmengine', 'mmcv', 'mmpretrain', 'torchvision'}
_MODULES = (
    'mmpose.codecs.',
    'mmpose.models.backbones.cspnext.',
    'mmpose.models.backbones.dstformer.',
    'mmpose.models.backbones.tcn.',
    'mmpose.models.data_preprocessors.',
    'mmpose.models.heads.coord_cls_heads.',
    'mmpose.models.heads.regression_heads.',
    'mmpose.models.losses.',
    'mmpose.models.necks.cspnext_pafpn.',
    'mmpose.models.pose_estimators.pose_lifter.',
    'mmpose.models.pose_estimators.topdown.',
    'mmdet.models.backbones.cspnext.',
    'mmdet.models.data_preprocessors.',
    'mmdet.models.dense_heads.rtmdet_head.',
    'mmdet.models.detectors.rtmdet.',
    'mmdet.models.losses.',
    'mmdet.models.necks.cspnext_pafpn.',
    'mmdet.models.task_modules.',
)
# Keys that every type may have, including keys of MMCV's layers
_KEYS = {'type', '_scope_', 'inplace', 'requires_grad'}


def config_within(checkpoint: Path, content: Any) -> Config:
    """Read the settings of the model in a checkpoint.

    Args:
        checkpoint (Path): File of the checkpoint, for messages.
        content (Any): Its content, loaded with :func:`mmhot.io.pickles.safe_load`.

    Returns:
        Config: The settings of the model, its codec and its skeleton, checked.

    Raises:
        ValueError: If the checkpoint has no config, or one that is not permitted.
    """
    meta = content.get('meta') if isinstance(content, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    text = meta.get('cfg')
    if not isinstance(text, str):
        raise ValueError(
            f'{checkpoint} contains no config: give its config too; '
            "tools/convert_checkpoint.py converts the papers' published checkpoints"
        )
    with naming(checkpoint):
        config = parse_config_text(text)
        scope = config.get('default_scope', 'mmpose')
        if scope == 'mmdet':
            import_module('mmdet.models')  # registers its classes
        settings = {key: config[key] for key in _SETTINGS if key in config}
        return Config(_check(settings, '', scope, meta.get('dataset_meta')))


def _check(value: Any, key: str, scope: str, meta: Any) -> Any:
    """Check settings; return a copy with metainfos in place of their file names.

    Initializations are removed, as the checkpoint has the weights.

    Args:
        value (Any): The settings, or one of their values.
        key (str): Key of the value.
        scope (str): Package in which types are looked up.
        meta (Any): Metainfo of the checkpoint's dataset, if there is one.
    """
    if isinstance(value, list | tuple):
        return type(value)(_check(item, key, scope, meta) for item in value)
    if not isinstance(value, Mapping):
        return value
    if 'from_file' in value:
        return _read_metainfo(value['from_file'], meta)
    scope = value.get('_scope_', scope)
    if scope not in _SCOPES:
        raise ValueError(
            f'its config has the scope {scope!r}, must be one of {", ".join(_SCOPES)}'
        )
    if 'type' in value:
        _check_type(value, key, scope)
    return {
        name: _check(item, name, scope, meta)
        for name, item in value.items()
        if name != 'init_cfg'
    }


def _check_type(settings: Mapping[str, Any], key: str, scope: str) -> None:
    """Raise a ValueError unless a type and its keys are permitted."""
    kind = settings['type']
    if (key, kind) == ('nms', 'nms'):  # in no registry: MMCV evaluates this text
        return
    prefix, _, name = str(kind).rpartition('.')
    # Types are looked up in dictionaries, because MMEngine's own lookup would also
    # import a type such as 'os.system'.
    root = _REGISTRIES.get(key, MODELS)
    registered = None
    for registry in (root, root.children.get(prefix or scope)):
        if registry is not None and prefix in ('', *_SCOPES):
            registered = registry.module_dict.get(name, registered)
    if registered is None:
        raise ValueError(
            f'its config has the type {kind!r}, which is not registered by MMPose or '
            f'mmhot as {key or "a setting"}'
        )
    module = f'{registered.__module__}.'
    is_known = module.startswith(_MODULES) or module.split('.')[0] not in _PACKAGES
    if not is_known or not isinstance(registered, type):
        raise ValueError(
            f'its config has the type {kind!r}, which is permitted in config files '
            'only, not in checkpoints: give its config too'
        )
    for argument in settings.keys() - _KEYS - arguments_of(registered):
        raise ValueError(f'its config has {argument!r}, which {kind} does not take')


@cache
def arguments_of(kind: type) -> frozenset[str]:
    """Return the names of the arguments of a class.

    If its constructor has ``**kwargs``, the arguments of the base class are included,
    and so on. They can also be the fields of a dataclass, its ``sizes_class``.
    """
    sizes = getattr(kind, 'sizes_class', None)
    names = {field.name for field in fields(sizes)} if sizes else set()
    for base in kind.__mro__[:-1]:
        if '__init__' in vars(base):
            parameters = signature(vars(base)['__init__']).parameters
            names |= {*parameters}
            if not any(x.kind is x.VAR_KEYWORD for x in parameters.values()):
                break  # base classes get no arguments of the caller
    return frozenset(names)


def _read_metainfo(path: Any, meta: Any) -> dict[str, Any]:
    """Return the content of a metainfo file of MMPose, or the dataset's metainfo."""
    shipped = find_shipped_file(str(path))
    if shipped is not None:
        return read_metainfo({'from_file': str(shipped)}).content()
    if isinstance(meta, Mapping) and 'keypoint_id2name' in meta:
        return read_metainfo(meta).content()
    raise ValueError(
        f'its config names the metainfo {one_line(path):.100}, and files that a '
        'checkpoint names are not opened: give its config too'
    )
