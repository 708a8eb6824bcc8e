"""Conversion of a paper's own checkpoint to a config and weights of this package.

To add a published model, write a module beside this one with a ``PublishedModel``,
and add that to ``PUBLISHED_MODELS``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import Tensor

import mmhot.plugin  # noqa: F401 registers the models that are built
from mmhot.errors import naming, require_choice
from mmhot.io.atomic import replacing
from mmhot.io.pickles import safe_load, save_checkpoint
from mmhot.version import __version__
from mmhot.weights.loading import list_differences
from tools.model_converters.gtpt import GTPT
from tools.model_converters.hosts import MIXSTE, MOTIONAGFORMER, MOTIONBERT
from tools.model_converters.htnet import HTNET, NANOHTNET
from tools.model_converters.mhformer import MHFORMER
from tools.model_converters.published_model import PublishedModel

PUBLISHED_MODELS: tuple[PublishedModel, ...] = (
    GTPT,
    HTNET,
    MHFORMER,
    MIXSTE,
    MOTIONAGFORMER,
    MOTIONBERT,
    NANOHTNET,
)

# Published lifters are trained on Human3.6M: 50 frames per second, and joints that
# their demos approximate with this mapping.
_LIFTING = {'fps': 50.0, 'mapping': 'hot'}

# Names under which training scripts save a state dict, in order of preference.
_WRAPPERS = {
    'ema': ('ema_state_dict', 'model_ema', 'best_state_dict'),
    'model': ('state_dict', 'model', 'model_pos', 'model_state_dict'),
}


def convert_published(
    state_dict: Mapping[str, Any], weights: str = 'ema', **settings: Any
) -> tuple[dict, dict[str, Tensor]]:
    """Convert a checkpoint of a paper's own code.

    The model is recognized by its keys, and its sizes are read off the shapes.

    Args:
        state_dict (Mapping): Tensors or arrays (...) by published key, or a checkpoint
            with them, of a training script. A prefix ``module.`` is ignored.
        weights (str): Which copy to take if there are two: ``'ema'``, the moving
            average, or ``'model'``, the trained weights. Defaults to 'ema'.
        **settings: Settings under their published names that shapes do not determine,
            such as ``heads`` of NanoHTNet. Others may be given, but must agree.

    Returns:
        tuple[dict, dict[str, Tensor]]: A config for ``MODELS.build`` and a state
        dict that loads strictly into that model.

    Raises:
        ValueError: If the model is unknown, keys are missing or unknown, shapes do
            not fit together, or a setting is unknown or wrong.
    """
    require_choice('weights', weights, _WRAPPERS)
    if not isinstance(state_dict, Mapping):
        kind = type(state_dict).__name__
        raise ValueError(f'a checkpoint must be a dict of tensors, got {kind}')
    other = 'model' if weights == 'ema' else 'ema'
    for name in (*_WRAPPERS[weights], *_WRAPPERS[other]):
        if isinstance(state_dict.get(name), Mapping):
            state_dict = state_dict[name]
            break
    tensors = _choose_copy(_as_tensors(state_dict), weights)
    model = _recognize(tensors)
    try:
        config, converted = model.convert(tensors, settings)
        return config, _fit(config, converted)
    except (IndexError, KeyError, TypeError, ZeroDivisionError) as error:
        # Sizes are read off the tensors before these are compared.
        raise ValueError(f'not a complete {model.name}: {error!r}') from error
    except ValueError as error:
        raise ValueError(f'{model.name}: {error}') from error


def convert_file(
    source: Path, target: Path, weights: str = 'ema', **settings: Any
) -> dict:
    """Convert a published checkpoint file to one that MMPose loads; return its config.

    The written file has ``state_dict`` and, in ``meta``, the config as text and the
    version of this package.

    Args:
        source (Path): Published checkpoint.
        target (Path): ``.pth`` or ``.safetensors`` file to write.
        weights (str): See :func:`convert_published`.
        **settings: See :func:`convert_published`.

    Returns:
        dict: Config of the model.
    """
    content = safe_load(source)
    with naming(Path(source)):
        config, state_dict = convert_published(content, weights, **settings)
    lifting = {'lifting': _LIFTING} if config['type'] == 'SequencePoseLifter' else {}
    text = Config({'model': config, **lifting}).pretty_text
    meta = {'cfg': text, 'mmhot_version': __version__}
    with replacing(target) as temporary:
        save_checkpoint({'meta': meta, 'state_dict': state_dict}, temporary)
    return config


def _as_tensors(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return tensors (...) by key, without the prefix of data-parallel modules."""
    tensors = {}
    for key, value in state_dict.items():
        if not isinstance(value, Tensor | np.ndarray | np.generic):
            raise ValueError(
                f'a checkpoint must hold tensors, got {type(value).__name__} at {key!r}'
            )
        if not isinstance(value, Tensor):
            value = torch.from_numpy(np.array(value))
        tensors[str(key).removeprefix('module.')] = value.detach()
    if not tensors:
        raise ValueError('the checkpoint is empty')
    return tensors


def _choose_copy(tensors: dict[str, Tensor], weights: str) -> dict[str, Tensor]:
    """Choose tensors (...) between ``KEY`` and ``ema_KEY``, if there are both."""
    averaged = {
        key.removeprefix('ema_'): value
        for key, value in tensors.items()
        if key.startswith('ema_')
    }
    if not averaged or weights == 'ema':
        return averaged or tensors
    return {key: tensors[key] for key in tensors if not key.startswith('ema_')}


def _recognize(tensors: dict[str, Tensor]) -> PublishedModel:
    """Return the published model whose tensors (...) have such keys."""
    for model in PUBLISHED_MODELS:
        if all(any(key.startswith(x) for key in tensors) for x in model.marks):
            return model
    if any(key.startswith('backbone.') for key in tensors):
        raise ValueError(
            'this checkpoint is not a published one but already one of MMPose: load '
            'it directly'
        )
    names = ', '.join(model.name for model in PUBLISHED_MODELS)
    keys = ', '.join(list(tensors)[:3])
    raise ValueError(
        f'no published model that mmhot knows ({names}) has such keys: {keys}, ...'
    )


def _fit(config: dict, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors (...) to the shapes of the model, which have axes of length one."""
    expected = MODELS.build(config).state_dict()
    fitting = {
        key: value.reshape(expected[key].shape)
        if key in expected and value.squeeze().shape == expected[key].squeeze().shape
        else value
        for key, value in state_dict.items()
    }
    if differences := list_differences(expected, fitting):
        more = ', ...' if len(differences) > 5 else ''
        raise ValueError(f'tensors do not fit: {"; ".join(differences[:5])}{more}')
    return fitting
