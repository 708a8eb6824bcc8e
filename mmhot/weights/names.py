"""Models by name: a function for each kind of name, and the choice of the back end.

The names of mmhot's, MMPose's and MMDetection's models are in metafiles, which are read
without importing the packages.
"""

import itertools
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
"""MMPose's aliases of a 2D model, and of the detector of its inferencer."""
_HUMAN_CONFIG = 'demo/mmdetection_cfg/rtmdet_m_640-8xb32_coco-person.py'
_OPENMMLAB = 'https://download.openmmlab.com/mmpose/v1/projects'
_HUMAN_WEIGHTS = (
    f'{_OPENMMLAB}/rtmposev1/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth'
)


class Task(NamedTuple):
    """Kind of model, by which names are looked up."""

    folders: tuple[str, ...]  # folders with configs of this kind; empty for all
    neither: str  # end of the message 'NAME is neither a ...'
    packages: tuple[str, ...] = ()  # packages whose indexes are read after mmhot's


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
"""Any model with a config."""


class NamedFile(NamedTuple):
    """ONNX file of a 2D model or detector, downloaded when it is first used."""

    url: str
    megabytes: float  # size of the download
    license: str = 'Apache-2.0, OpenMMLab'
    # Detector of a 2D model; None for detectors, and for models that detect people.
    detector: str | None = 'rtmdet-nano'
    task: Task = POSE

    def path(self, name: str) -> Path:
        """Return the path of the downloaded file of a model with this name."""
        return hub.cache_folder() / 'models' / f'{name}{Path(self.url).suffix}'

    def fetch(
        self, name: str, show: Callable[[int, int], None] = lambda done, total: None
    ) -> Path:
        """Download the file unless it is there already.

        Args:
            name (str): Name of the model.
            show (Callable): Function of the megabytes done and in total.

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
"""Third-party 2D models with COCO's 17 keypoints, and detectors, by name."""


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


def pruned_graph(graph: Path, keep_rates: Sequence[float]) -> Path:
    """Return the path of a shipped ONNX file that prunes in another way.

    Args:
        graph (Path): ONNX file that prunes as trained.
        keep_rates (Sequence[float]): Keep rates of GTPT.

    Returns:
        Path: The path, which may not exist.

    Example:
        >>> pruned_graph(Path('gtpt-t.onnx'), [0.5, 0.25]).name
        'gtpt-t.keep-0.5-0.25.onnx'
    """
    text = '-'.join(f'{number:g}' for number in keep_rates)
    return graph.with_name(f'{graph.stem}.keep-{text}.onnx')


def resolve(
    name: str | Path | None, task: Task, weights: str | Path | None = None
) -> Model:
    """Find a model by any of its names. Files are downloaded if necessary.

    Args:
        name (str | Path, optional): One of

            * a name or alias in mmhot's index, or in an index of the task's packages;
            * ``mmhot://NAME`` of shipped weights, or one of :data:`NAMED_FILES`;
            * a config file, or ``PACKAGE::PATH``;
            * an .onnx file, an archive (.zip) or folder of MMDeploy's SDK, a folder of
              ``mmhot export``, or the address of one of these
              (:func:`mmhot.weights.hub.local_file`).

            Defaults to the config inside ``weights``, or else to the shipped lifter.
        task (Task): Kind of the model.
        weights (str | Path, optional): Weights to use instead of the model's own.

    Returns:
        Model: Files of the model.

    Raises:
        ValueError: If the name is unknown, or the model cannot have other weights.

    Example::

        resolve('gtpt-t', POSE).config
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
            hint = ': lift the results of Ultralytics, see docs/migration.md'
        raise ValueError(f'{name} is neither a {task.neither}{hint}')
    if weights is None and task is LIFTER and model.weights:
        return model._replace(config=Path(model.weights))  # they contain it
    if weights is None:
        return model
    if model.is_exported:
        raise ValueError(f'{name} has its own weights: {weights} cannot replace them')
    return Model(str(weights), model.config, weights)


def _package_config(name: str, task: Task) -> Model | None:
    """Find ``PACKAGE::PATH``."""
    return Model(name, find_config(name)) if '::' in name else None


def named_file(name: str | None, task: Task) -> NamedFile | None:
    """Return the entry of :data:`NAMED_FILES` for a name and a task, or None.

    The task DETECTOR has 2D models, too, as some of them detect people.
    """
    file = NAMED_FILES.get(name or '')
    return file if file and task in (file.task, DETECTOR) else None


def _named_file(name: str, task: Task) -> Model | None:
    """Find a name of :data:`NAMED_FILES`, and download its file."""
    file = named_file(name, task)
    if file is None or Path(name).exists():
        return None
    return Model(name, graph=_graph_in(file.fetch(name)))


def _indexed(name: str, task: Task) -> Model | None:
    """Find a name or alias of mmhot's index."""
    if Path(name).is_file():
        return None
    model = index.find_model(name, task.folders or None)
    if model is None:
        return None
    weights = index.find_shipped(model.weights) if model.weights else None
    return Model(name, model.config, weights or '', _graph_of(weights))


def _shipped(name: str, task: Task) -> Model | None:
    """Find a lifter by the name of its shipped weights, without reading the index."""
    if task is not LIFTER or Path(name).is_file():
        return None
    weights = index.find_shipped(name)
    return Model(name, weights, weights, _graph_of(weights)) if weights else None


def _graph_file(name: str, task: Task) -> Model | None:
    """Find the path or address of an ONNX file, an archive or an exported folder."""
    graph = _graph_in(hub.local_file(name))
    return Model(name, graph=graph) if graph else None


def _fetched_checkpoint(name: str, task: Task) -> Model | None:
    """Find the address of a lifter's checkpoint, and download it."""
    is_lifter = hub.is_remote(name) and task is LIFTER
    return Model(name, weights=hub.local_file(name)) if is_lifter else None


def _config_file(name: str, task: Task) -> Model | None:
    """Find the path of a config; refuse checkpoints, which are other arguments."""
    path = Path(name)
    if path.suffix in ('.py', '.pth', '.pt', '.ckpt'):
        require_file(path)
    if path.suffix == '.py':
        return Model(name, path)
    if path.is_file():
        arguments = {POSE: 'pose2d_weights', DETECTOR: 'det_weights'}
        raise ArgumentError(
            '%s is neither a config (.py) nor an .onnx or .zip file: checkpoints are '
            f'given as {{{arguments.get(task, "pose3d_weights")}}}',
            path,
        )
    return None


def _human(name: str, task: Task) -> Model | None:
    """Find the default detector of MMPose's inferencer by an alias in ``HUMAN``."""
    if task is not DETECTOR or name not in HUMAN:
        return None
    return Model(name, _folder('mmpose') / _HUMAN_CONFIG, _HUMAN_WEIGHTS)


def _other_index(name: str, task: Task) -> Model | None:
    """Find a name or alias in the indexes of other packages."""
    for folder in map(_folder, task.packages):
        for entry in index.read_index(folder):
            if name in (entry['Name'], *index.aliases_of(entry)):
                return Model(name, folder / entry['Config'], entry.get('Weights') or '')
    return None


SPELLINGS: tuple[Callable[[str, Task], Model | None], ...] = (
    _package_config,
    _named_file,
    _graph_file,
    _fetched_checkpoint,
    _shipped,
    _indexed,
    _config_file,
    _human,
    _other_index,
)
"""Functions that find a model by name; the first one that finds a model decides."""


def _graph_of(weights: Path | None) -> Path | None:
    """Return the ONNX file beside shipped weights, which contain its tensors."""
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
    """Yield known names, for the hint in a message about an unknown one."""
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
    """Return the folder with the configs and the index of an installed package."""
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f'{package} is not installed: see mmhot doctor')
    return index.data_folder(Path(spec.submodule_search_locations[0]))


def find_config(name: str | Path) -> Path:
    """Return the path of a config file, as ``_base_`` in configs does.

    Args:
        name (str | Path): A path, or ``PACKAGE::PATH`` of a config of an installed
            package, such as ``mmpose::body_2d_keypoint/...``.

    Returns:
        Path: The path, which may not exist if ``name`` is one.

    Raises:
        FileNotFoundError: If the package has no such config.
        ValueError: If the package is not installed.
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
    """Find the config of a model by name.

    Args:
        name (str): Name of a model of mmhot, a 2D model of MMPose, or a detector of
            MMDetection, in any spelling of :func:`resolve`.

    Returns:
        Path: File of the config.

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
    """Choose between PyTorch and ONNX Runtime for a model.

    | model | on a CPU | on a GPU |
    | --- | --- | --- |
    | exported, or ``backend='onnx'``, or PyTorch is not installed | ONNX | ONNX |
    | a config and a checkpoint, or ``backend='torch'`` | PyTorch | PyTorch |
    | shipped | ONNX | PyTorch |
    | shipped, and ``prefers_torch`` | PyTorch | PyTorch |

    Args:
        model (Model): Files of the model.
        device (str): Device that the user chose, such as 'cpu' or 'cuda:1'. Defaults to
            'auto', a GPU if there is one.
        backend (str): ``'auto'``, ``'torch'`` or ``'onnx'``. Defaults to 'auto'.
        prefers_torch (bool): Whether the caller needs the model in PyTorch. Defaults to
            False.

    Returns:
        Path | None: The ONNX file to run, or None for PyTorch.

    Raises:
        ValueError: If the back end cannot run the model, or PyTorch is not installed.
        FileNotFoundError: If a checkpoint does not exist.
    """
    require_choice('backend', backend, get_args(Backend))
    if backend == 'onnx' and model.graph is None:
        raise ArgumentError(
            '{backend=%r} runs shipped models and exported ones, not %s',
            backend,
            model.name,
        )
    if backend == 'torch' and model.is_exported:
        raise ArgumentError(
            '{backend=%r} cannot run %s, an ONNX model', backend, model.name
        )
    has_torch = find_spec('torch') is not None
    is_free = backend == 'auto' and model.graph is not None
    if backend == 'onnx' or (is_free and (model.is_exported or not has_torch)):
        return model.graph
    if not has_torch:
        raise ValueError(f'{model.name} needs PyTorch: {install_extra("mmpose")}')
    if not is_free:
        weights = str(model.weights)
        if weights.endswith(hub.CHECKPOINTS) and not hub.is_remote(weights):
            require_file(weights)  # before PyTorch is imported
        return None
    has_gpu = len(list_devices_of_driver()) > 1 if device == 'auto' else device != 'cpu'
    return None if prefers_torch or has_gpu else model.graph
