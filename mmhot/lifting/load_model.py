"""Loading of lifters by model name, config or checkpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import WEIGHT_INITIALIZERS
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import nn

from mmhot.codecs.pose_lifting import CameraPoseLifting
from mmhot.compat.checkpoints import safe_load
from mmhot.errors import hint_at_names
from mmhot.weights.config_files import find_config, parse_config_text, read_config_file
from mmhot.weights.hub import is_remote, local_file
from mmhot.weights.index import DEFAULT_LIFTER, SCHEME, read_models, shipped_weights
from mmhot.weights.loading import build_model, load_strictly


def load_lifter(
    model: str | Path | None, checkpoint: str | Path | None
) -> tuple[str, Config, nn.Module]:
    """Build a lifter in evaluation mode and load its weights.

    Args:
        model (str or Path, optional): See :func:`find_files`.
        checkpoint (str or Path, optional): The same.

    Returns:
        tuple[str, Config, nn.Module]: Name for results, config, and model.

    Raises:
        ValueError: If the name is unknown, or the weights do not fit the model.
        FileNotFoundError: If a file is missing.
    """
    named, weights = find_files(model, checkpoint)
    content = None
    if named == weights or named in shipped_weights().values():
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
    return name, config, built.eval()


def find_files(
    model: str | Path | None, checkpoint: str | Path | None
) -> tuple[Path, Path | None]:
    """Find the files of a lifter.

    Args:
        model (str or Path, optional): Name of shipped weights, name or alias of a
            model of ``mmhot list``, or a config: a file, or ``mmhot::PATH``. By
            default the shipped model for clips or, given a checkpoint, the config that
            it contains.
        checkpoint (str or Path, optional): A file, the name of shipped weights, or an
            address, see :func:`mmhot.weights.hub.local_file`.

    Returns:
        tuple[Path, Path | None]: Config, or a checkpoint that contains one; and
        checkpoint, if there is one.
    """
    if model is None and checkpoint is None:
        model = SCHEME + DEFAULT_LIFTER
    if model is not None and is_remote(model) and checkpoint is None:
        model, checkpoint = None, model
    if model is not None:
        model = _look_up(model, with_weights=checkpoint is None)
    shipped = None if model is None else _shipped(model)
    weights = shipped
    if checkpoint is not None:
        weights = _shipped(checkpoint) or _existing(local_file(checkpoint))
    return shipped or (weights if model is None else Path(model)), weights


def _look_up(name: str | Path, with_weights: bool) -> str | Path:
    """Return the shipped weights or config of a name of ``mmhot list``, or the name."""
    if '::' in str(name):
        return find_config(name)
    if Path(name).is_file():
        return name
    for model in read_models():
        if model.is_called(str(name)):
            return model.weights if model.weights and with_weights else model.config
    return name


def _shipped(name: str | Path) -> Path | None:
    """Return the file of shipped weights, by ``NAME`` or ``mmhot://NAME``."""
    name, shipped = str(name), shipped_weights()
    if name.startswith(SCHEME) and name.removeprefix(SCHEME) not in shipped:
        hint = hint_at_names(name.removeprefix(SCHEME), shipped, 'shipped')
        raise ValueError(f'unknown weights: {name}; {hint}')
    return shipped.get(name.removeprefix(SCHEME))


def _existing(checkpoint: Path) -> Path:
    if checkpoint.is_dir():
        raise IsADirectoryError(f'{checkpoint} is a folder, not a checkpoint')
    return checkpoint


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


def config_within(checkpoint: Path, content: Any) -> Config:
    """Parse the config in a checkpoint without executing it.

    Args:
        checkpoint (Path): The file, for messages.
        content (Any): What it holds.

    Raises:
        ValueError: If there is no config, or it has a type of the model or the codec
            that neither MMPose nor mmhot has registered.
    """
    meta = content.get('meta') if isinstance(content, dict) else None
    text = meta.get('cfg') if isinstance(meta, dict) else None
    if not isinstance(text, str):
        raise ValueError(
            f'{checkpoint} contains no config: give its config too; published '
            'checkpoints of the papers are converted by tools/convert_checkpoint.py'
        )
    try:
        config = parse_config_text(text)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f'{checkpoint}: {error}') from error
    # MMEngine would also import a type such as 'os.system'
    known = {
        *KEYPOINT_CODECS.module_dict,
        *MODELS.module_dict,
        *MODELS.parent.module_dict,
        *WEIGHT_INITIALIZERS.module_dict,  # never called: weights are loaded
    }
    for kind in _types([config.get('model'), config.get('codec')]):
        if str(kind).removeprefix('mmpose.') not in known:
            raise ValueError(
                f'{checkpoint}: its config has the type {kind!r}, which is not '
                'registered by MMPose or mmhot'
            )
    return config


def _types(config: Any) -> Iterator[Any]:
    """Yield every ``type`` in a nested config."""
    if isinstance(config, dict):
        if 'type' in config:
            yield config['type']
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for value in config:
        yield from _types(value)


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
    if not isinstance(decoder, CameraPoseLifting) or decoder.num_keypoints != 17:
        raise ValueError(
            f'{source}: the codec must be CameraPoseLifting, PersonCenteredPoseLifting '
            'or ImageSpacePoseLifting with 17 keypoints, not '
            f'{type(decoder).__name__}'
        )
    return built
