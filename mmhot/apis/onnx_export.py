"""Export of models to ONNX, with a comparison of the file with PyTorch."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from mmhot.apis.onnx_models import NUM_INPUTS, Exportable, open_exportable
from mmhot.apis.options import OnnxOptions
from mmhot.deploy.onnx_graphs import KEPT, write_graph
from mmhot.deploy.onnx_sessions import open_session
from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.io.atomic import replacing
from mmhot.options import Values
from mmhot.version import __version__
from mmhot.weights.hub import META_FILE, MODEL_FILE

BATCHES = (1, 3, 8)
# Accepted difference as a share of the largest value: rounding in another order.
_TOLERANCE = 1e-4


def export_onnx(
    model: str,
    checkpoint: str | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
    **options: object,
) -> list[Path]:
    """Export a model to ``model.onnx`` and ``meta.json``.

    Args:
        model (str): Name of shipped weights, name or alias of a model, or a config.
        checkpoint (str, optional): Its weights. Defaults to those of the name.
        say (Callable): Receives lines about the comparison.
        **options (object): See :class:`mmhot.apis.options.OnnxOptions`.

    Raises:
        ValueError: If an argument is wrong, the model cannot be exported, or the file
            does not compute what PyTorch does; then nothing is written.
    """
    chosen = Values(options, (OnnxOptions,)).of(OnnxOptions)
    out = chosen.out
    files = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if files and not {MODEL_FILE, META_FILE} <= files:
        raise ArgumentError(
            '{out} must be a new, empty or exported folder: %s is not', out
        )
    opened = open_exportable(model, checkpoint, chosen.keep, chosen.inputs)
    with TemporaryDirectory(prefix='mmhot-export-') as folder:
        checked, file = Path(folder, 'checked.onnx'), Path(folder, MODEL_FILE)
        metadata = {META_FILE: json.dumps(opened.meta), 'mmhot': __version__}
        write_graph(opened.graph, opened.real[:3], checked, metadata, chosen.opset)
        _leave_out_kept(checked, file)
        differences = check_parity(opened, file, checked)
        content = file.read_bytes()
    for line in differences:
        say(f'{opened.meta["name"]}: {line}')
    about = dict(format=1, mmhot=__version__, opset=chosen.opset)
    meta = json.dumps({**about, **opened.meta, 'parity': differences}, indent=1)
    out.mkdir(parents=True, exist_ok=True)
    written = {out / MODEL_FILE: content, out / META_FILE: meta.encode()}
    for path, data in written.items():
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    return list(written)


def _leave_out_kept(checked: Path, file: Path) -> None:
    """Write the graph without the outputs that only the comparison reads."""
    import onnx

    model = onnx.load(checked)
    outputs = [x for x in model.graph.output if not x.name.startswith(KEPT)]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def check_parity(opened: Exportable, file: Path, checked: Path) -> list[str]:
    """Compare ONNX Runtime with PyTorch, in batches of 1, 3 and 8.

    The graph of ``checked`` returns kept patches or frames, too. The result names the
    largest differences of random and real inputs.
    """
    sessions = [open_session(file), open_session(checked)]
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(opened.real.shape, generator=generator)
    graph, lines = opened.graph, []
    for kind, inputs in (('random', random), ('real', opened.real)):
        # layers of MMDetection use what PyTorch calls outdated
        with torch.no_grad(), ignored_warnings():
            outputs = [output.numpy() for output in graph(inputs)]
        expected, worst = dict(zip(graph.output_names, outputs, strict=True)), 0.0
        for session, batch in product(sessions, BATCHES):
            names = [output.name for output in session.get_outputs()]
            feeds = [{graph.input_name: x.numpy()} for x in inputs.split(batch)]
            columns = zip(*(session.run(names, feed) for feed in feeds), strict=True)
            for name, parts in zip(names, columns, strict=True):
                where = f'{kind} inputs, batches of {batch}: {name}'
                values = np.concatenate(parts)
                worst = max(worst, _difference(where, values, expected[name]))
        prunes = any(name.startswith(KEPT) for name in expected)
        pruning = 'the same patches or frames kept' if prunes else 'nothing pruned'
        text = f'largest difference on {NUM_INPUTS} {kind} inputs {worst:.1e}'
        lines.append(f'{text}, {pruning}')
    return lines


def _difference(where: str, values: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of an output; raise if it is too large."""
    limit = 0.0  # of indices
    if expected.dtype.kind != 'i':
        limit = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    is_whole = values.shape == expected.shape
    difference = float(np.abs(values - expected).max()) if is_whole else np.inf
    if not difference <= limit:
        raise ValueError(
            f'{where} differs from that of PyTorch by {difference:.2g}, more than '
            f'{limit:.2g}; nothing is written'
        )
    return difference
