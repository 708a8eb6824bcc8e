"""Lifters by name, config or checkpoint."""

from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn

from mmhot.checkpoints import shipped_weights
from mmhot.compat import safe_load

DEFAULT_LIFTER = 'nanohtnet_81frm-9k_cmu-wild'


def load_lifter(
    model: str | Path | None, checkpoint: str | Path | None, device: str
) -> tuple[str, Config, nn.Module]:
    """Build a lifter in evaluation mode and load its weights.

    Args:
        model (str or Path, optional): Name of shipped weights or a config file.
        checkpoint (str or Path, optional): Weights file.
        device (str): PyTorch device.

    Returns:
        tuple[str, Config, nn.Module]: What to call it, its config, the model.

    Raises:
        ValueError: If the name is unknown, or weights and model do not fit.
        FileNotFoundError: If a file is missing.
    """
    if model is None and checkpoint is None:
        model = DEFAULT_LIFTER
    config = None
    shipped = shipped_weights()
    if model is not None and str(model) in shipped:
        name = str(model)
        checkpoint = checkpoint or shipped[name]
    elif model is not None:
        name, config = Path(model).stem, _read_config(Path(model), shipped)
        if checkpoint is None:
            raise ValueError(
                f'{model}: a config alone has no weights: give a checkpoint too, or '
                f'the name of shipped weights: {", ".join(shipped)}'
            )
    else:
        name = Path(checkpoint).stem

    content = safe_load(checkpoint)
    config = config or _config_within(checkpoint, content)
    _check_lifter(config, name)
    with DefaultScope.overwrite_default_scope('mmpose'):
        built = MODELS.build(config.model)
    _load_strictly(built, checkpoint, content)
    return name, config, built.to(device).eval()


def _read_config(path: Path, shipped: dict) -> Config:
    if not path.is_file():
        if path.suffix == '.py':
            raise FileNotFoundError(f'{path}: no such config file')
        near = get_close_matches(str(path), shipped, n=1, cutoff=0.3)
        hint = f'did you mean {near[0]}?' if near else 'none are shipped'
        raise ValueError(f'{path} is neither a config file nor a shipped model; {hint}')
    try:
        return Config.fromfile(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        # a config is a program: whatever it raises, the file is at fault
        raise ValueError(f'{path} is no readable config: {error}') from error


def _config_within(checkpoint: str | Path, content: dict) -> Config:
    text = content.get('meta', {}).get('cfg') if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise ValueError(
            f'{checkpoint} does not say what model it is for: give its config too'
        )
    return Config.fromstring(text, '.py')


def _check_lifter(config: Config, name: str) -> None:
    backbone = config.get('model', {}).get('backbone', {})
    decoder = config.get('model', {}).get('head', {}).get('decoder')
    if not backbone or not decoder:
        raise ValueError(
            f'{name} is no config of a lifter: it needs a model with a backbone and a '
            'head that has a decoder'
        )


def _load_strictly(model: nn.Module, checkpoint: str | Path, content: dict) -> None:
    """Load weights; a difference is the user's mix-up, in one line."""
    state = content.get('state_dict', content) if isinstance(content, dict) else None
    expected = model.state_dict()
    if not isinstance(state, dict) or not set(state) & set(expected):
        raise ValueError(f'{checkpoint} is a checkpoint of another model')
    wrong = [f'{key} is missing' for key in expected if key not in state]
    wrong += [f'{key} is not known' for key in state if key not in expected]
    wrong += [
        f'{key} is {tuple(state[key].shape)} instead of {tuple(value.shape)}'
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    if wrong:
        more = f' and {len(wrong) - 1} more differences' if len(wrong) > 1 else ''
        raise ValueError(
            f'{checkpoint} is a checkpoint of another model: {wrong[0]}{more}'
        )
    model.load_state_dict(state)
