"""Published and shipped weights.

:func:`convert_published` turns a checkpoint of the papers' own code into a config
and a state dict of ours. Weights that come with this package load by name wherever
MMEngine takes a checkpoint: ``mmhot://NAME``.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmhot import __version__
from mmhot.compat.checkpoints import safe_load
from mmhot.errors import hint_at_names
from mmhot.io.atomic import replacing
from mmhot.weights.convert import PUBLISHED_MODELS
from mmhot.weights.convert.published_model import PublishedModel
from mmhot.weights.index import SCHEME, shipped_weights
from mmhot.weights.strict_loading import list_other_shapes

# Published lifters are trained on Human3.6M: 50 frames per second, and joints that
# their demos approximate like this.
_LIFTING = {'fps': 50.0, 'mapping': 'hot'}

# Names under which training scripts save a state dict, the wanted one first.
_WRAPPERS = {
    'ema': ('ema_state_dict', 'model_ema', 'best_state_dict'),
    'model': ('state_dict', 'model', 'model_pos', 'model_state_dict'),
}


def convert_published(
    state_dict: Mapping[str, Any], weights: str = 'ema', **settings: Any
) -> tuple[dict, dict[str, Tensor]]:
    """Convert a checkpoint of a paper's own code.

    The model is recognized by its keys, and its sizes follow from the shapes.

    Args:
        state_dict (Mapping): Tensors or arrays by published key, or what a training
            script saved around them. A prefix ``module.`` is ignored.
        weights (str): Which copy to take if there are two: ``'ema'``, the moving
            average, or ``'model'``, also called ``'online'``, what the optimizer
            trained. Defaults to 'ema'.
        **settings: What shapes cannot tell, under its published name: ``heads`` of
            NanoHTNet. Settings that shapes do tell may be given; they must agree.

    Returns:
        tuple[dict, dict[str, Tensor]]: A config for ``MODELS.build`` and a state
        dict that loads strictly into what it builds.

    Raises:
        ValueError: If the model is unknown, keys are missing or unknown, shapes do
            not fit together, or a setting is unknown or wrong; names them.
    """
    weights = 'model' if weights == 'online' else weights
    if weights not in _WRAPPERS:
        raise ValueError(f"weights must be 'ema' or 'model', got {weights!r}")
    tensors = _as_tensors(_unwrap(state_dict, weights))
    tensors = _choose_copy(tensors, weights)
    model = _recognize(tensors)
    try:
        config, converted = model.convert(tensors, settings)
        _check_fit(config, converted)
    except (IndexError, TypeError, ZeroDivisionError) as error:
        # sizes are read off the shapes before these have been compared
        raise ValueError(
            f'shapes do not fit together to a {model.name}: {error}'
        ) from error
    return config, converted


def convert_file(
    source: Path, target: Path, weights: str = 'ema', **settings: Any
) -> dict:
    """Convert a published checkpoint file to one that MMPose loads.

    Args:
        source (Path): File made by the paper's own code.
        target (Path): File to write: ``state_dict`` and, in ``meta``, the config
            as text and the version of this package.
        weights (str): See :func:`convert_published`.
        **settings: See :func:`convert_published`.

    Returns:
        dict: The model's config.
    """
    try:
        config, state_dict = convert_published(safe_load(source), weights, **settings)
    except ValueError as error:
        about = '' if str(source) in str(error) else f'{source}: '
        raise ValueError(f'{about}{error}') from error
    lifting = {'lifting': _LIFTING} if config['type'] == 'SequencePoseLifter' else {}
    text = Config({'model': config, **lifting}).pretty_text
    meta = {'cfg': text, 'mmhot_version': __version__}
    with replacing(target) as temporary:
        torch.save({'meta': meta, 'state_dict': state_dict}, temporary)
    return config


def _unwrap(checkpoint: Mapping[str, Any], weights: str) -> Mapping[str, Any]:
    """Take the state dict out of what a training script saved around it."""
    if not isinstance(checkpoint, Mapping):
        raise ValueError(
            f'a checkpoint must be a dict of tensors, got {type(checkpoint).__name__}'
        )
    other = 'model' if weights == 'ema' else 'ema'
    for name in (*_WRAPPERS[weights], *_WRAPPERS[other]):
        if isinstance(checkpoint.get(name), Mapping):
            return checkpoint[name]
    return checkpoint


def _as_tensors(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Check the values and drop the prefix of data-parallel modules."""
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
    """Choose between ``KEY`` and ``ema_KEY`` where a state dict holds both."""
    averaged = {
        key.removeprefix('ema_'): value
        for key, value in tensors.items()
        if key.startswith('ema_')
    }
    if not averaged or weights == 'ema':
        return averaged or tensors
    return {key: value for key, value in tensors.items() if key[:4] != 'ema_'}


def _recognize(tensors: dict[str, Tensor]) -> PublishedModel:
    for model in PUBLISHED_MODELS:
        if model.owns(tensors):
            return model
    names = ', '.join(model.name for model in PUBLISHED_MODELS)
    if any(key.startswith('backbone.') for key in tensors):
        raise ValueError(
            'this is not a published checkpoint but already one of MMPose; load it as '
            'it is'
        )
    keys = ', '.join(list(tensors)[:3])
    raise ValueError(
        f'no published model that mmhot knows ({names}) has such keys: {keys}, ...'
    )


def _check_fit(config: dict, state_dict: dict[str, Tensor]) -> None:
    """Refuse tensors whose shapes do not fit together."""
    import_module('mmhot.plugin')  # registers what the config names
    from mmpose.registry import MODELS

    wrong = list_other_shapes(MODELS.build(config).state_dict(), state_dict)
    if wrong:
        raise ValueError(f'shapes do not fit together: {"; ".join(wrong)}')


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_mmhot(filename: str, map_location: Any = None) -> dict:
    """Load the checkpoint ``mmhot://NAME``.

    Raises:
        ValueError: If no such weights are shipped; suggests the nearest name.
    """
    name = filename.removeprefix(SCHEME)
    shipped = shipped_weights()
    if name not in shipped:
        hint = hint_at_names(name, shipped, 'shipped')
        raise ValueError(f'unknown weights: {filename}; {hint}')
    return safe_load(shipped[name], map_location or 'cpu')
