"""Files of lifters by name, without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from mmhot.weights.backends import find_graph, graph_with_keep, shipped_graph
from mmhot.weights.config_files import find_config
from mmhot.weights.hub import is_remote, local_file
from mmhot.weights.index import DEFAULT_LIFTER, SCHEME, find_shipped, read_models

_TASKS = ('body_3d_keypoint',)


def find_lifter_graph(
    model: str | Path | None,
    checkpoint: str | Path | None,
    device: str = 'auto',
    keep: int | Sequence[int] | None = None,
    backend: str = 'auto',
) -> tuple[Path | None, Path | None]:
    """Find the ONNX file of a lifter; arguments are those of :class:`mmhot.Lifter`.

    Returns:
        tuple[Path | None, Path | None]: The file to run, None for PyTorch, and that of
        the weights as trained.
    """
    name = SCHEME + DEFAULT_LIFTER if model is None and checkpoint is None else model
    # the frames that are kept are constants of a file
    kept = None
    if keep is not None and checkpoint is None:
        shipped = shipped_graph(str(name), _TASKS)
        counts = [keep] if isinstance(keep, int) else keep
        kept = shipped and graph_with_keep(shipped, counts)
        kept = kept if kept and kept.is_file() else None
    prefers_torch = keep is not None and kept is None
    graph = find_graph(name, _TASKS, checkpoint, device, backend, prefers_torch)
    return graph and (kept or graph), graph


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
    if checkpoint is None and model is None:
        model = SCHEME + DEFAULT_LIFTER
    elif checkpoint is None and is_remote(model):
        model, checkpoint = None, model
    if model is not None:
        model = _look_up(model, with_weights=checkpoint is None)
        shipped = find_shipped(model)
        config, weights = shipped or Path(model), shipped
    if checkpoint is not None:
        weights = find_shipped(checkpoint) or local_file(checkpoint)
        if weights.is_dir():
            raise IsADirectoryError(f'{checkpoint} is a folder, not a checkpoint')
    return (weights if model is None else config), weights


def _look_up(name: str | Path, with_weights: bool) -> str | Path:
    """Return the shipped weights or config of a name of ``mmhot list``, or the name."""
    if '::' in str(name):
        return find_config(name)
    if not Path(name).is_file():
        for model in read_models():
            if model.is_called(str(name)):
                return model.weights if model.weights and with_weights else model.config
    return name
