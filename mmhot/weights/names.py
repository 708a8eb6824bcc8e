"""Models by name: a function for each spelling, and the choice of the back end.

The names of mmhot, MMPose and MMDetection are in metafiles of the packages, which are
read without importing the packages.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from mmhot.compat.installation import list_devices_of_driver
from mmhot.errors import (
    ArgumentError,
    hint_at_names,
    install_extra,
    require_choice,
    require_file,
)
from mmhot.weights import hub, index

Backend = Literal['auto', 'torch', 'onnx']
"""Runtime of a model; 'auto' chooses it."""
HUMAN = ('human', 'body', 'wholebody')
"""MMPose's aliases that name both a 2D model and the detector of its inferencer."""
_HUMAN_CONFIG = 'demo/mmdetection_cfg/rtmdet_m_640-8xb32_coco-person.py'
_OPENMMLAB = 'https://download.openmmlab.com/mmpose/v1/projects'
_HUMAN_WEIGHTS = (
    f'{_OPENMMLAB}/rtmposev1/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth'
)


class Task(NamedTuple):
    """Kind of models that a name is looked up for."""

    folders: tuple[str, ...]  # folders of configs of this kind; any if empty
    neither: str  # end of the message 'NAME is neither a ...'
    packages: tuple[str, ...] = ()  # packages with indexes that are read, too


LIFTER = Task((), 'config file nor a shipped model')
POSE = Task(
    ('body_2d_keypoint', 'wholebody_2d_keypoint'),
    'file nor a 2D model of mmhot or MMPose',
    ('mmpose',),
)
DETECTOR = Task(
    ('detection',), 'file nor a detector of mmhot or MMDetection', ('mmdet',)
)
ANY = Task(
    (),
    'config nor a model with one of mmhot, MMPose or MMDetection',
    ('mmpose', 'mmdet'),
)
"""Any model with a config; names may be shortened, see ``_shortened``."""


class NamedFile(NamedTuple):
    """ONNX file of a 2D model or detector, downloaded once when it is first named."""

    url: str
    megabytes: float  # size of the download
    license: str = 'Apache-2.0, OpenMMLab'
    # Name of the detector for a 2D model; None if it detects people itself, or for a
    # detector
    detector: str | None = 'rtmdet-nano'
    task: Task = POSE

    def path(self, name: str) -> Path:
        """Return the path at which the file of this name is kept."""
        return hub.cache_folder() / 'models' / f'{name}{Path(self.url).suffix}'

    def fetch(
        self, name: str, show: Callable[[int, int], None] = lambda done, total: None
    ) -> Path:
        """Download the file unless it is there already.

        Args:
            name (str): Name of the model.
            show (Callable): Receives the megabytes done and in total.

        Returns:
            Path: The file.

        Raises:
            ArgumentError: If it cannot be downloaded.
        """
        try:
            return hub.download(self.url, path=self.path(name), show=show)
        except ValueError as error:
            argument = 'pose2d' if self.task is POSE else 'det_model'
            raise ArgumentError(
                f'%s, or give the path of its .onnx as {{{argument}}}', error
            ) from error


NAMED_FILES = {
    'movenet': NamedFile(
        'https://huggingface.co/Xenova/movenet-singlepose-thunder/resolve/main/onnx/'
        'model_fp16.onnx',
        12.6,
        'Apache-2.0, Google',
    ),
    'rtmpose-m': NamedFile(
        f'{_OPENMMLAB}/rtmposev1/onnx_sdk/'
        'rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip',
        50,
    ),
    'rtmo-s': NamedFile(
        f'{_OPENMMLAB}/rtmo/onnx_sdk/'
        'rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip',
        37,
        detector=None,  # detects people itself
    ),
    'rtmdet-nano': NamedFile(
        f'{_OPENMMLAB}/rtmposev1/onnx_sdk/'
        'rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.zip',
        4,
        detector=None,
        task=DETECTOR,
    ),
}
"""Third-party 2D models of COCO's 17 keypoints, and detectors, by name."""


class Model(NamedTuple):
    """Files of a model that was found by name."""

    name: str  # name as given; if other weights were given, their name
    config: Path | None = None  # config file, or shipped weights that contain one
    weights: str | Path = ''  # file or address of the weights; empty if there are none
    graph: Path | None = None  # ONNX file; an exported model has nothing else

    @property
    def is_exported(self) -> bool:
        """Whether the model is an ONNX file alone."""
        return self.graph is not None and not self.weights

    def pruned(self, keep: Sequence[float] | None) -> Path | None:
        """Return the file of a graph with other keep rates or kept frames, or None."""
        path = keep and self.graph and graph_with_keep(self.graph, keep)
        return path if path and path.is_file() else None


def graph_with_keep(graph: Path, keep: Sequence[float]) -> Path:
    """Return the file name of a shipped graph with other keep rates or kept frames."""
    rates = '-'.join(f'{each:g}' for each in keep)
    return graph.with_name(f'{graph.stem}.keep-{rates}.onnx')


def resolve(
    name: str | Path | None, task: Task, weights: str | Path | None = None
) -> Model:
    """Find a model by any of its spellings.

    Args:
        name (str | Path, optional): A name or alias of mmhot's or the package's index,
            ``mmhot://NAME`` of shipped weights, one of :data:`NAMED_FILES`, a config
            file or ``PACKAGE::PATH``, an .onnx file, an archive (.zip) or folder of
            MMDeploy's SDK, a folder of ``mmhot export``, or an address of one of these
            (:func:`mmhot.weights.hub.local_file`). By default the config in the
            weights, or the shipped lifter.
        task (Task): The kind of model.
        weights (str | Path, optional): Other weights for it.

    Returns:
        Model: Files of the model.

    Raises:
        ValueError: If no spelling knows the name, or other weights cannot be used.
    """
    if name is None and weights is not None:
        return Model(str(weights), None, weights)
    name = index.SCHEME + index.DEFAULT_LIFTER if name is None else str(name)
    for spelling in SPELLINGS:
        if model := spelling(name, task):
            break
    else:
        hint = hint_at_names(name, _names_of(task))
        if task is POSE and name.lower().startswith('yolo'):
            hint = ': lift the results of Ultralytics, docs/migration.md'
        raise ValueError(f'{name} is neither a {task.neither}{hint}')
    if weights is None and task is LIFTER and model.weights:
        return model._replace(config=Path(model.weights))  # they contain it
    if weights is None:
        return model
    if model.is_exported:
        raise ValueError(f'{name} has its own weights: {weights} cannot replace them')
    return Model(str(weights), model.config, weights)


def _of_package(name: str, task: Task) -> Model | None:
    return Model(name, find_config(name)) if '::' in name else None


def named_file(name: str | None, task: Task) -> NamedFile | None:
    """Find a model of :data:`NAMED_FILES` for a task; 2D models may detect people."""
    file = NAMED_FILES.get(name or '')
    return file if file and task in (file.task, DETECTOR) else None


def _named_file(name: str, task: Task) -> Model | None:
    file = named_file(name, task)
    if file is None or Path(name).exists():
        return None
    return Model(name, graph=_graph_in(file.fetch(name)))


def _indexed(name: str, task: Task) -> Model | None:
    is_file = Path(name).is_file()
    model = None if is_file else index.find_model(name, task.folders or None)
    if model is None:
        return None
    weights = index.find_shipped(model.weights) if model.weights else None
    return Model(name, model.config, weights or '', _graph_of(weights))


def _shipped(name: str, task: Task) -> Model | None:
    if task is not LIFTER or Path(name).is_file():
        return None
    weights = index.find_shipped(name)  # reading the index takes longer
    return Model(name, weights, weights, _graph_of(weights)) if weights else None


def _graph_file(name: str, task: Task) -> Model | None:
    graph = _graph_in(hub.local_file(name))
    return Model(name, graph=graph) if graph else None


def _fetched_checkpoint(name: str, task: Task) -> Model | None:
    is_lifter = hub.is_remote(name) and task is LIFTER
    return Model(name, weights=hub.local_file(name)) if is_lifter else None


def _config_file(name: str, task: Task) -> Model | None:
    path = Path(name)
    if path.suffix == '.py':
        return Model(name, require_file(path))
    if path.is_file():
        option = {POSE: 'pose2d_weights', DETECTOR: 'det_weights'}
        raise ArgumentError(
            '%s is neither a config (.py) nor an .onnx or .zip file: checkpoints are '
            f'given as {{{option.get(task, "checkpoint")}}}',
            path,
        )
    return None


def _human(name: str, task: Task) -> Model | None:
    if task is not DETECTOR or name not in HUMAN:
        return None
    return Model(name, _folder('mmpose') / _HUMAN_CONFIG, _HUMAN_WEIGHTS)


def _other_index(name: str, task: Task) -> Model | None:
    for folder in map(_folder, task.packages):
        for entry in index.read_index(folder):
            if name in (entry['Name'], *index.aliases_of(entry)):
                return Model(name, folder / entry['Config'], entry.get('Weights') or '')
    return None


def _shortened(name: str, task: Task) -> Model | None:
    """Find the first model named ``NAME_`` and a digit, such as ``NAME_8xb32-...``.

    Models of mmhot come first, then 2D models of MMPose.
    """
    if task is not ANY:
        return None
    continued = re.compile(rf'{re.escape(name)}_\d')
    for model in index.read_models(name):
        if continued.match(model.name):
            return Model(name, model.config)
    folder = _folder('mmpose')
    for entry in index.read_index(folder, name):
        path = Path(entry['Config'])
        if continued.match(path.name) and path.parts[1] in POSE.folders:
            return Model(name, folder / path)
    return None


SPELLINGS: tuple[Callable[[str, Task], Model | None], ...] = (
    _of_package,
    _named_file,
    _graph_file,
    _fetched_checkpoint,
    _shipped,
    _indexed,
    _config_file,
    _human,
    _other_index,
    _shortened,
)
"""Functions for the spellings of a name; the first one that finds a model decides."""


def _graph_of(weights: Path | None) -> Path | None:
    """Return the ONNX file that shares the tensors of shipped weights, or None."""
    path = weights and index.WEIGHTS_FOLDER / f'{weights.stem}.onnx'
    return path if path and path.is_file() else None


def _graph_in(path: Path) -> Path | None:
    """Resolve a file, an archive or an exported folder to its ONNX file, or None."""
    if path.suffix.lower() == '.onnx':
        return path
    if path.suffix.lower() == hub.ARCHIVE:
        path = hub.unpack(path)
    files = (path / hub.MODEL_FILE, path / hub.SDK_FILE)
    return next((file for file in files if file.is_file()), None)


def _names_of(task: Task) -> Iterator[str]:
    """Yield the names that a message hints at."""
    if task is LIFTER:
        yield from index.shipped_weights()
        return
    yield from (name for name, file in NAMED_FILES.items() if file.task is task)
    for model in index.read_models():
        if not task.folders or model.task in task.folders:
            yield from (*model.aliases, model.name)
    for entry in itertools.chain(*map(index.read_index, map(_folder, task.packages))):
        yield from index.aliases_of(entry) or [entry['Name']]


def _folder(package: str) -> Path:
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f'{package} is not installed: see mmhot doctor')
    return index.data_folder(Path(spec.submodule_search_locations[0]))


def find_config(name: str | Path) -> Path:
    """Find a config by name, as ``_base_`` and MMEngine's hub do.

    Returns ``name`` itself, or the file of ``PACKAGE::PATH``, a config that comes with
    an installed package, for example ``mmpose::body_2d_keypoint/...``.
    """
    package, separator, inner = str(name).partition('::')
    if not separator:
        return Path(name)
    configs = _folder(package) / 'configs'
    if not (configs / inner).is_file():
        files = (str(path.relative_to(configs)) for path in configs.rglob('*.py'))
        hint = hint_at_names(inner, files)
        raise FileNotFoundError(f'{package} has no config {inner}{hint}')
    return configs / inner


def config_of(name: str) -> Path:
    """Find the config of a model of any task, by name.

    Models of other packages are 2D models and detectors.

    Raises:
        ValueError: If the name is unknown, or the model is an ONNX file.
    """
    config = resolve(name, ANY).config
    if config is None:
        raise ValueError(f'{name} is an ONNX model, which has no config')
    return config


def runtime(
    model: Model,
    device: str = 'auto',
    backend: str = 'auto',
    prefers_torch: bool = False,
) -> Path | None:
    """Choose the back end of a model: its ONNX file, or None for PyTorch.

    | model | on a CPU | on a GPU |
    | --- | --- | --- |
    | exported, or ``backend='onnx'``, or PyTorch is not installed | ONNX | ONNX |
    | a config and a checkpoint, or ``backend='torch'`` | PyTorch | PyTorch |
    | shipped | ONNX | PyTorch |
    | shipped, and ``prefers_torch`` | PyTorch | PyTorch |
    """
    require_choice('backend', backend, get_args(Backend))
    lacks = {'onnx': model.graph is None, 'torch': model.is_exported}
    if lacks.get(backend):
        text = '{backend=%r} runs shipped models and exported ones, not %s'
        if model.is_exported:
            text = '{backend=%r} cannot run %s, an ONNX model'
        raise ArgumentError(text, backend, model.name)
    lacks['torch'] |= find_spec('torch') is None
    able = [x for x in lacks if backend in ('auto', x) and not lacks[x]]
    if not able:
        raise ValueError(f'{model.name} needs PyTorch: {install_extra("mmpose")}')
    if 'torch' not in able:
        return model.graph
    if 'onnx' not in able:
        weights = str(model.weights)
        if weights.endswith(hub.CHECKPOINTS) and not hub.is_remote(weights):
            require_file(weights)  # before PyTorch is imported
        return None
    has_gpu = len(list_devices_of_driver()) > 1 if device == 'auto' else device != 'cpu'
    return None if prefers_torch or has_gpu else model.graph
