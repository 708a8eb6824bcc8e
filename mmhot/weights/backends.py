"""Back ends of models: the choice between PyTorch and ONNX Runtime, without PyTorch."""

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mmhot.compat.installation import list_devices_of_driver
from mmhot.errors import INSTALL_MMPOSE, require_choice
from mmhot.weights.hub import ARCHIVE, MODEL_FILE, SDK_FILE, local_file, unpack
from mmhot.weights.index import DEFAULT_LIFTER, SCHEME, WEIGHTS_FOLDER, find_model

BACKENDS = ('auto', 'torch', 'onnx')
_LIFTERS = ('body_3d_keypoint',)
_LOGGER = logging.getLogger(__name__)


def find_graph(
    model: str | Path | None,
    tasks: Sequence[str],
    weights: str | Path | None = None,
    device: str = 'auto',
    backend: str = 'auto',
    prefers_torch: bool = False,
) -> Path | None:
    """Choose the back end of a model: its ONNX file, or None for PyTorch.

    'auto' runs models of ``mmhot export`` and, on a CPU, shipped models with ONNX
    Runtime, also where PyTorch is installed. Others run with PyTorch.

    Args:
        model (str | Path, optional): Name, config, .onnx file, or folder of
            ``mmhot export``.
        tasks (Sequence[str]): Tasks of the index in which the name is looked up.
        weights (str | Path, optional): Other weights for it, which PyTorch loads.
        device (str): Device. Defaults to 'auto', the GPU if there is one.
        backend (str): 'auto', 'torch' or 'onnx'. Defaults to 'auto'.
        prefers_torch (bool): Whether 'auto' is PyTorch for shipped models, too.

    Raises:
        ValueError: If the back end is unknown, or cannot run the model.
    """
    require_choice('backend', backend, BACKENDS)
    if model is not None and (file := exported_file(model)) is not None:
        if weights is not None:
            raise ValueError(
                f'{model} has its own weights: {weights} cannot replace them'
            )
        if backend == 'torch':
            raise ValueError(f"backend 'torch' cannot run {model}, an ONNX model")
        return file
    named = model if weights is None else weights
    graph = shipped_graph(str(model), tasks) if weights is None else None
    if graph is None and backend == 'onnx':
        raise ValueError(
            f"backend 'onnx' runs shipped models and those of mmhot export, not {named}"
        )
    has_torch = find_spec('torch') is not None
    if not has_torch and (graph is None or backend == 'torch'):
        raise ValueError(f'{named} needs PyTorch: {INSTALL_MMPOSE}')
    if backend == 'onnx' or not has_torch:
        return graph
    has_gpu = len(list_devices_of_driver()) > 1 if device == 'auto' else device != 'cpu'
    if backend == 'torch' or has_gpu:
        return None
    if graph is None:
        recommend_export()
    return None if prefers_torch else graph


def find_lifter_graph(
    model: str | Path | None,
    checkpoint: str | Path | None,
    device: str = 'auto',
    keep: int | Sequence[int] | None = None,
    backend: str = 'auto',
) -> tuple[Path | None, Path | None]:
    """Find the ONNX file of a lifter; arguments are those of :class:`mmhot.Lifter`.

    Returns the file to run, None for PyTorch, and that of the weights as trained.
    """
    name = SCHEME + DEFAULT_LIFTER if model is None and checkpoint is None else model
    kept = None
    if keep is not None and checkpoint is None:
        # the frames that are kept are constants of a file
        shipped = shipped_graph(str(name), _LIFTERS)
        counts = [keep] if isinstance(keep, int) else keep
        kept = shipped and graph_with_keep(shipped, counts)
        kept = kept if kept and kept.is_file() else None
    prefers_torch = keep is not None and kept is None
    graph = find_graph(name, _LIFTERS, checkpoint, device, backend, prefers_torch)
    return graph and (kept or graph), graph


@cache
def recommend_export() -> None:
    """Log once that exported models are faster."""
    _LOGGER.warning('models of your own run in PyTorch; mmhot export makes them faster')


def exported_file(model: str | Path) -> Path | None:
    """Resolve a path to its ONNX file, or None.

    The path may be an ONNX file, an archive, or a folder of ``mmhot export`` or of
    MMDeploy's SDK.
    """
    path = local_file(model)
    if path.suffix.lower() == '.onnx':
        return path
    if path.suffix.lower() == ARCHIVE:
        path = unpack(path)
    files = (path / MODEL_FILE, path / SDK_FILE)
    return next((file for file in files if file.is_file()), None)


def shipped_graph(name: str, tasks: Sequence[str]) -> Path | None:
    """Return the ONNX graph of shipped weights, by name; None if there is none.

    Its tensors are those of the weights' file beside it.
    """
    model = None if Path(name).is_file() else find_model(name, tasks)
    if model is None:
        return None
    path = WEIGHTS_FOLDER / f'{model.weights.removeprefix(SCHEME)}.onnx'
    return path if path.is_file() else None


def graph_with_keep(graph: Path, keep: Sequence[float]) -> Path:
    """Return the file of a shipped graph with other keep rates or kept frames."""
    keep = '-'.join(f'{each:g}' for each in keep)
    return graph.with_name(f'{graph.stem}.keep-{keep}.onnx')
