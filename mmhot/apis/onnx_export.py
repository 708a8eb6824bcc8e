"""Export of models to ONNX, with a comparison of the file with PyTorch."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from mmhot.apis.onnx_models import NUM_INPUTS, Exportable, open_exportable
from mmhot.deploy.onnx_graphs import OPSET, write_graph
from mmhot.deploy.onnx_sessions import open_session
from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.io.atomic import replacing
from mmhot.version import __version__
from mmhot.weights.hub import META_FILE, MODEL_FILE

# Largest accepted difference, as a share of the largest value: ONNX Runtime rounds in
# another order. It is 5e-7 in nanohtnet and in gtpt-t.
_TOLERANCE = 1e-4
_BATCHES = (1, 3, 8)  # sizes of batches with which ONNX Runtime gets the inputs


def export_onnx(
    model: str,
    checkpoint: str | None = None,
    *,
    out: str | Path,
    keep: Sequence[float] | None = None,
    opset: int = OPSET,
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Export a model to ``model.onnx`` and ``meta.json``.

    Args:
        model (str): Name of shipped weights, name or alias of a model, or a config.
        checkpoint (str, optional): Its weights. Defaults to the weights of that name.
        out (str | Path): Folder to create.
        keep (Sequence[float], optional): Frames that each pruner of a lifter keeps, or
            keep rates of a GTPT. Defaults to the trained ones.
        opset (int): Version of ONNX's operators, from 18. Defaults to 23.
        say (Callable): Receives lines about the comparison.

    Returns:
        list[Path]: The written files.

    Raises:
        ValueError: If an argument is wrong, the model cannot be exported, or results of
            ONNX Runtime differ from PyTorch's; then nothing is written.

    Example::

        export_onnx('gtpt-t', out='exported/gtpt-t', say=print)
    """
    out = Path(out)
    files = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if files and not {MODEL_FILE, META_FILE} <= files:
        raise ArgumentError(
            '{out} must be new, empty, or the folder of an export: %s has other files',
            out,
        )
    opened = open_exportable(model, checkpoint, keep)
    with TemporaryDirectory(prefix='mmhot-export-') as folder:
        file = Path(folder, MODEL_FILE)
        metadata = {META_FILE: json.dumps(opened.meta), 'mmhot': __version__}
        write_graph(opened.graph, opened.inputs[:3], file, metadata, opset)
        differences = check_parity(opened, file)
        content = file.read_bytes()
    for line in differences:
        say(f'{opened.meta["name"]}: {line}')
    about = dict(format=1, mmhot=__version__, opset=opset)
    meta = json.dumps({**about, **opened.meta, 'parity': differences}, indent=1)
    out.mkdir(parents=True, exist_ok=True)
    written = {out / MODEL_FILE: content, out / META_FILE: meta.encode()}
    for path, data in written.items():
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    return list(written)


def check_parity(opened: Exportable, file: Path) -> list[str]:
    """Compare ONNX Runtime with PyTorch on random inputs.

    Returns:
        list[str]: A line with the largest difference.

    Raises:
        ValueError: If an output differs by more than rounding.
    """
    session = open_session(file)
    graph = opened.graph
    # PyTorch warns of outdated functions in layers of MMDetection.
    with torch.no_grad(), ignored_warnings():
        expected = [output.numpy() for output in graph(opened.inputs)]
    worst = 0.0
    for batch in _BATCHES:
        feeds = [{graph.input_name: x.numpy()} for x in opened.inputs.split(batch)]
        parts = [session.run(graph.output_names, feed) for feed in feeds]
        outputs = map(np.concatenate, zip(*parts, strict=True))
        for pair in zip(graph.output_names, outputs, expected, strict=True):
            worst = max(worst, _difference(f'batches of {batch}', *pair))
    return [f'largest difference on {NUM_INPUTS} random inputs {worst:.1e}']


def _difference(
    where: str, name: str, values: np.ndarray, expected: np.ndarray
) -> float:
    """Return the largest difference of an output (B, ...); raise if over the limit."""
    limit = 0.0  # indices must be equal
    if expected.dtype.kind != 'i':
        limit = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    is_whole = values.shape == expected.shape
    difference = float(np.abs(values - expected).max()) if is_whole else np.inf
    if not difference <= limit:
        raise ValueError(
            f'{where}: {name} differs from the result of PyTorch by {difference:.2g}, '
            f'more than {limit:.2g}; nothing is written'
        )
    return difference
