"""Index of the shipped models and weights, read without PyTorch or MMPose."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mmhot.errors import hint_at_names

WEIGHTS_FOLDER = Path(__file__).parent


def data_folder(package: Path) -> Path:
    """Return the folder with the configs and the index of a package.

    Args:
        package (Path): Folder of an OpenMMLab package.

    Returns:
        Path: ``.mim`` in installed packages, the root of the repository in clones.
    """
    return package / '.mim' if (package / '.mim').is_dir() else package.parent


FOLDER = data_folder(WEIGHTS_FOLDER.parent)  # mmhot's configs and index
SCHEME = 'mmhot://'  # start of the names of shipped weights
# Lifter for clips: a window gives a pose for each of its frames.
DEFAULT_LIFTER = 'tps-tri-motionbert-xs_81frm-keep27_cmu-wild'
# The same network, which drops two of three frames before its first layer instead of
# after it. It takes two thirds of the time.
FAST_LIFTER = 'tps-tri-motionbert-xs_81frm-keep27-depth0_cmu-wild'
# Lifter for streams: a window takes a tenth of the time of DEFAULT_LIFTER's, and gives
# poses for the few frames in its middle.
LIVE_LIFTER = 'nanohtnet_81frm-keep9_cmu-wild'
ACCURACIES = ('fast', 'best')
"""Values of ``accuracy`` of :class:`mmhot.Lifter`."""


@dataclass(frozen=True)
class IndexedModel:
    """Model in a metafile, or a config that no metafile lists."""

    name: str  # name of the config
    aliases: tuple[str, ...]
    algorithm: str  # collection of the metafile, or folder of the config
    config: Path
    parameters: int | None = None  # number of parameters
    macs: int | None = None  # multiply-adds for one input, an image or a window
    weights: str = ''  # mmhot://NAME of shipped weights

    @property
    def task(self) -> str:
        """Folder of the config, such as ``'body_3d_keypoint'``."""
        return self.config.relative_to(FOLDER / 'configs').parts[0]

    def is_called(self, name: str) -> bool:
        """Return whether ``name`` is the model's name, an alias, or its weights' name.

        Names of weights may begin with ``mmhot://``.
        """
        weights = self.weights or self.name
        return name in (self.name, *self.aliases, weights, weights.removeprefix(SCHEME))


def read_models(name: str = '') -> list[IndexedModel]:
    """List the models in mmhot's metafiles, then configs that no metafile lists.

    Args:
        name (str): Text to search for. Metafiles that do not contain it, and configs
            whose name does not, are left out. Defaults to '', which leaves out nothing.

    Returns:
        list[IndexedModel]: The models.
    """
    models = [
        IndexedModel(
            name=entry['Name'],
            aliases=tuple(aliases_of(entry)),
            algorithm=entry['In Collection'],
            config=FOLDER / entry['Config'],
            parameters=entry.get('Metadata', {}).get('Parameters'),
            macs=entry.get('Metadata', {}).get('MACs'),
            weights=entry.get('Weights', ''),
        )
        for entry in read_index(FOLDER, name)
    ]
    indexed = {model.config for model in models}
    for path in sorted((FOLDER / 'configs').glob('[!_]*/*/*/*.py')):
        if path not in indexed and name in path.stem:
            models.append(IndexedModel(path.stem, (), path.parents[1].name, path))
    return models


def aliases_of(entry: dict[str, Any]) -> list[str]:
    """Return the aliases in an entry of a metafile: a list, also if it states one."""
    aliases = entry.get('Alias') or []
    return [aliases] if isinstance(aliases, str) else aliases


def find_model(name: str, tasks: Collection[str] | None = None) -> IndexedModel | None:
    """Find a model of mmhot's index.

    Args:
        name (str): Name of the model, an alias, or the name of its weights.
        tasks (Collection[str], optional): Folders of configs to search, such as
            ``['body_3d_keypoint']``. Defaults to all.

    Returns:
        IndexedModel | None: The first model, or None.
    """
    for model in read_models(name.removeprefix(SCHEME)):
        if model.is_called(name) and (tasks is None or model.task in tasks):
            return model
    return None


def shipped_models(tasks: Collection[str]) -> list[IndexedModel]:
    """List the models with shipped weights, in the order of the metafiles.

    The metafiles list the default model of a task first.

    Args:
        tasks (Collection[str]): Folders of configs, such as ``['detection']``.

    Returns:
        list[IndexedModel]: The models.
    """
    models = read_models()
    return [x for x in models if x.task in tasks and x.weights.startswith(SCHEME)]


def read_index(folder: Path, name: str = '') -> Iterator[dict[str, Any]]:
    """Yield the models of an OpenMMLab package's metafiles.

    Args:
        folder (Path): Folder of the index, see :func:`data_folder`.
        name (str): Text to search for. Metafiles that do not contain it are skipped,
            because parsing takes time. Defaults to '', which skips nothing.

    Yields:
        dict: Entries of ``Models``, in order.
    """
    for metafile in _read_yaml(folder / 'model-index.yml')['Import']:
        if name in (folder / metafile).read_text(encoding='utf-8'):
            yield from _read_yaml(folder / metafile).get('Models', [])


def shipped_weights() -> dict[str, Path]:
    """Return the weights files of this package by name, without ``mmhot://``."""
    return {path.stem: path for path in sorted(WEIGHTS_FOLDER.glob('*.pth'))}


def find_shipped(name: str | Path) -> Path | None:
    """Find the file of shipped weights.

    Args:
        name (str | Path): ``NAME`` or ``mmhot://NAME``.

    Returns:
        Path | None: The file; None if ``NAME`` is unknown.

    Raises:
        ValueError: If ``mmhot://NAME`` is unknown.
    """
    shipped = shipped_weights()
    stem = str(name).removeprefix(SCHEME)
    if stem not in shipped and str(name).startswith(SCHEME):
        if find_model(str(name)):
            path = WEIGHTS_FOLDER / f'{stem}.pth'
            raise FileNotFoundError(f'{path} is missing: install mmhot again')
        raise ValueError(f'unknown weights: {name}{hint_at_names(stem, shipped)}')
    return shipped.get(stem)


@cache
def _read_yaml(path: Path) -> Any:
    """Return the content of a YAML file."""
    import yaml

    # The loader that is written in C is ten times as fast.
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    return yaml.load(path.read_text(encoding='utf-8'), Loader=loader)
