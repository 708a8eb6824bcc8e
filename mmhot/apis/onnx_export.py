"""Export of models to ONNX, with a comparison of the file with PyTorch."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import mmhot
from mmhot.apis.command_options import OnnxOptions
from mmhot.apis.onnx_models import NUM_INPUTS, Exportable, open_exportable
from mmhot.apis.onnx_precision import (
    MAX_LOSS,
    convert_precision,
    measure_loss,
)
from mmhot.deploy.onnx_graphs import KEPT, OPSET, write_graph
from mmhot.errors import escape, ignored_warnings
from mmhot.io.atomic import replacing
from mmhot.weights.backends import open_session
from mmhot.weights.hub import META_FILE, MODEL_FILE

FILES = (MODEL_FILE, META_FILE, 'README.md')
BATCHES = (1, 3, 8)
# Parts of the real inputs for parity, for calibration (two) and for the loss (two).
_PARTS = 5
# Of the largest value of an output: rounding in another order.
_TOLERANCE = 1e-4
_README = """# {name}, exported by mmhot {version}

`model.onnx` (opset {opset}, dynamic batch, operators of ONNX alone) is a {kind}.
`meta.json` describes its input and outputs, joints and units, and how inputs are made.

Compared with PyTorch on 8 random and 8 real inputs, in batches of 1, 3 and 8: {parity}.
{loss}
{use}
"""
_USES = {
    'pose2d': 'In mmhot: `mmhot infer VIDEO --pose2d {path}`.',
    'detector': 'In mmhot: `mmhot infer VIDEO --det-model {path}`.',
    'lifter': 'In mmhot: `mmhot infer VIDEO --pose3d {path}`, or `mmhot lift KEYPOINTS '
    '--model {path}`.',
}


def export_onnx(
    model: str,
    checkpoint: str | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
    **options: object,
) -> list[Path]:
    """Export a model to ``model.onnx``, ``meta.json`` and ``README.md``.

    Args:
        model (str): Name of shipped weights, name or alias of a model, or a config.
        checkpoint (str, optional): Its weights. Defaults to those of the name.
        say (Callable): Receives lines about the comparison.
        **options (object): See :class:`mmhot.apis.command_options.OnnxOptions`.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: If an argument is wrong, the model cannot be exported, or the file
            does not compute what PyTorch does, or loses too much; then nothing is
            written.
    """
    chosen = OnnxOptions.of(**options)
    out, precision = chosen.out, chosen.precision
    _check_folder(out)
    is_reduced = precision != 'float32'
    number = _PARTS * NUM_INPUTS if is_reduced else NUM_INPUTS
    opened = open_exportable(model, checkpoint, chosen.keep, chosen.inputs, number)
    real = opened.real
    opened = replace(opened, real=real[:: number // NUM_INPUTS])
    name = opened.meta['name']
    with TemporaryDirectory(prefix='mmhot-export-') as folder:
        checked, file = Path(folder, 'checked.onnx'), Path(folder, FILES[0])
        metadata = {META_FILE: json.dumps(opened.meta), 'mmhot': mmhot.__version__}
        write_graph(opened.graph, opened.real[:3], checked, metadata)
        _leave_out_kept(checked, file)
        differences = check_parity(opened, file, checked)
        for line in differences:
            say(f'{name}: {line}')
        lost = ''
        if is_reduced:
            lost = _reduce(opened, real, file, precision, chosen.max_loss)
            say(f'{name}: {lost}')
        meta = {
            'format': 1,
            'mmhot': mmhot.__version__,
            'opset': OPSET,
            **opened.meta,
            'parity': differences,
            'precision': precision,
            'loss': lost,
        }
        kind = opened.meta['kind']
        readme = _README.format(
            name=name,
            version=mmhot.__version__,
            opset=OPSET,
            kind=kind,
            parity='; '.join(differences),
            loss=lost and f'\n{lost[0].upper()}{lost[1:]}.\n',
            use=_USES[kind].format(path=out / FILES[0]),
        )
        content = file.read_bytes(), json.dumps(meta, indent=1).encode()
        return list(_write(out, [*content, readme.encode()]))


def _reduce(
    opened: Exportable,
    real: Tensor,
    file: Path,
    precision: str,
    max_loss: float | None,
) -> str:
    """Replace a file by one of lower precision; returns what is lost, as text."""
    reduced, name = file.with_name('reduced.onnx'), opened.graph.input_name
    calibration, held_out = (
        torch.cat([real[part::_PARTS] for part in parts]) for parts in ((1, 3), (2, 4))
    )
    convert_precision(file, reduced, precision, name, calibration.numpy())
    found, wanted = (
        _run_onnx(open_session(path), name, held_out, NUM_INPUTS)
        for path in (reduced, file)
    )
    loss = measure_loss(opened.meta, found, wanted)
    limit = MAX_LOSS[opened.meta['kind']] if max_loss is None else max_loss
    text = f'in {precision} {len(held_out)} real inputs differ by {loss}'
    if not loss.mean <= limit:
        raise ValueError(
            f'{text}; nothing is written above {limit:g} on average, which max_loss '
            'sets'
        )
    sizes = [path.stat().st_size / 1e6 for path in (reduced, file)]
    file.write_bytes(reduced.read_bytes())
    return f'{text}; {sizes[0]:.1f} MB instead of {sizes[1]:.1f}'


def _check_folder(out: Path) -> None:
    """Refuse folders with files of others, and those that cannot be written."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f'out must be a folder, and {out} is a file')
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if found and not {*FILES} <= found:
        raise ValueError(f'out must be a new, empty or exported folder: {out} is not')
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    try:
        TemporaryDirectory(prefix='.mmhot-', dir=nearest).cleanup()
    except OSError as error:
        raise OSError(f'cannot write {escape(out)}: {error.strerror}') from error


def _write(out: Path, contents: Sequence[bytes]) -> Iterator[Path]:
    out.mkdir(parents=True, exist_ok=True)
    for name, content in zip(FILES, contents, strict=True):
        with replacing(out / name) as temporary:
            temporary.write_bytes(content)
        yield out / name


def _leave_out_kept(checked: Path, file: Path) -> None:
    """Write the graph without the outputs that only the comparison reads."""
    import onnx

    model = onnx.load(checked)
    outputs = [each for each in model.graph.output if not each.name.startswith(KEPT)]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def check_parity(opened: Exportable, file: Path, checked: Path) -> list[str]:
    """Compare ONNX Runtime with PyTorch, in batches of 1, 3 and 8.

    Args:
        opened (Exportable): The model and its real inputs.
        file (Path): Exported file.
        checked (Path): The same graph, which returns kept patches or frames, too.

    Returns:
        list[str]: The largest differences of random and real inputs.

    Raises:
        ValueError: If outputs differ by more than rounding, or anything kept differs.
    """
    sessions = [open_session(each) for each in (file, checked)]
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(opened.real.shape, generator=generator)
    lines = []
    for kind, inputs in (('random', random), ('real', opened.real)):
        wanted = _run_torch(opened.graph, inputs)
        worst = 0.0
        for session, batch in product(sessions, BATCHES):
            found = _run_onnx(session, opened.graph.input_name, inputs, batch)
            for name, values in found.items():
                where = f'{kind} inputs, batches of {batch}: {name}'
                worst = max(worst, _difference(where, values, wanted[name]))
        prunes = any(name.startswith(KEPT) for name in wanted)
        text = f'largest difference on {NUM_INPUTS} {kind} inputs {worst:.1e}'
        lines.append(f'{text}, {_KEPT_TEXT[prunes]}')
    return lines


_KEPT_TEXT = {True: 'the same patches or frames kept', False: 'nothing pruned'}


def _run_torch(graph: nn.Module, inputs: Tensor) -> dict[str, np.ndarray]:
    # layers of MMDetection use what PyTorch calls outdated
    with torch.no_grad(), ignored_warnings():
        outputs = graph(inputs)
    return {
        name: output.numpy()
        for name, output in zip(graph.output_names, outputs, strict=True)
    }


def _run_onnx(
    session: Any, input_name: str, inputs: Tensor, batch: int
) -> dict[str, np.ndarray]:
    names = [output.name for output in session.get_outputs()]
    parts = [
        session.run(names, {input_name: part.numpy()}) for part in inputs.split(batch)
    ]
    columns = zip(*parts, strict=True)
    return dict(zip(names, map(np.concatenate, columns), strict=True))


def _difference(where: str, values: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference of an output; raise if it is too large."""
    if values.shape != wanted.shape:
        raise ValueError(
            f'{where} is {values.shape} of ONNX Runtime, {wanted.shape} of PyTorch; '
            'nothing is written'
        )
    if wanted.dtype.kind == 'i':
        share = (values != wanted).mean()
        if share:
            raise ValueError(
                f'{where}: {share:.1%} of the indices differ from those of PyTorch; '
                'nothing is written'
            )
        return 0.0
    difference = float(np.abs(values - wanted).max())
    limit = _TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    if not difference <= limit:
        raise ValueError(
            f'{where} differs from that of PyTorch by {difference:.2g}, more than '
            f'{limit:.2g}; nothing is written'
        )
    return difference
