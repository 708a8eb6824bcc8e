"""Write the ONNX graphs of the shipped weights, beside these.

A checkpoint of PyTorch is an uncompressed archive, and an external tensor of ONNX is a
file, an offset and a length. So graphs read their weights from the checkpoint, which
are stored once. The speed presets have graphs of their own. Run it after weights were
replaced. Example::

    python -m tools.export_shipped
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

from mmhot.apis.onnx_models import open_exportable
from mmhot.chain.pose2d.options import SPEEDS
from mmhot.cli.errors import print_line, run_tool
from mmhot.deploy.onnx_graphs import trace_graph
from mmhot.io.atomic import replacing
from mmhot.weights.hub import META_FILE
from mmhot.weights.index import shipped_weights
from mmhot.weights.names import pruned_graph

WEIGHTS_KEY = 'weights_sha256'
"""Metadata of a graph: digest of the file of its tensors."""
_MIN_SIZE = 32  # numbers; the bytes of smaller tensors could be found by chance
_HALF = '.half'
_GTPT = 'gtpt-t_coco17_synth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'names', nargs='*', metavar='NAME', help='shipped weights (default: all)'
    )


def main(args: argparse.Namespace) -> None:
    """Write the graphs of shipped weights; see the module."""
    shipped = shipped_weights()
    for name in args.names or shipped:
        if name not in shipped:
            raise ValueError(f'{name} is not shipped: {", ".join(shipped)} are')
        weights = shipped[name]
        graph = weights.with_suffix('.onnx')
        files = {graph: open_exportable(f'mmhot://{name}')}
        for speed in SPEEDS.values():
            keep = speed.keep_rates
            if name == _GTPT and keep is not None:
                path = pruned_graph(graph, keep)
                files[path] = open_exportable(f'mmhot://{name}', keep=keep)
        for path, opened in files.items():
            program = trace_graph(opened.graph, opened.inputs[:3], optimize=False)
            metadata = {META_FILE: json.dumps(opened.meta)}
            write_sharing_graph(program.model, weights, metadata, path)
            print_line(f'{path}: {path.stat().st_size} bytes')


def write_sharing_graph(
    model: ir.Model, weights: Path, metadata: dict[str, str], path: Path
) -> None:
    """Write a graph beside the checkpoint from which its tensors are read.

    Tensors stay in half precision in the file, and are converted when it is opened. The
    graph is as PyTorch exports it, not optimized.
    """
    graph = model.graph
    content = weights.read_bytes()
    casts = [
        _refer(graph, value, place, weights)
        for value in [*graph.initializers.values()]
        if (place := _find(value.const_value.numpy(), content)) is not None
    ]
    graph.insert_before(graph[0], casts)
    optimizer.optimize_ir(model, should_fold=_should_fold)
    common.ClearMetadataAndDocStringPass()(model)
    model.metadata_props.update(metadata)
    model.metadata_props[WEIGHTS_KEY] = hashlib.sha256(content).hexdigest()
    with replacing(path) as temporary:
        ir.save(model, temporary)


def _find(tensor: np.ndarray, content: bytes) -> int | None:
    """Return where a tensor (...) is in a file, in half precision, or None."""
    if tensor.dtype != np.float32 or tensor.size < _MIN_SIZE:
        return None
    half = tensor.astype(np.float16)
    place = content.find(half.tobytes()) if (half == tensor).all() else -1
    return None if place < 0 else place


def _refer(graph: ir.Graph, value: ir.Value, place: int, weights: Path) -> ir.Node:
    """Replace an initializer by one in a file and its conversion; return the latter."""
    name = f'{value.name}{_HALF}'
    kind = ir.DataType.FLOAT16
    shape = ir.Shape(value.const_value.shape)
    tensor = ir.ExternalTensor(
        weights.name,
        place,
        2 * value.const_value.size,
        kind,
        shape=shape,
        name=name,
        base_dir=str(weights.parent),
    )
    stored = ir.Value(
        name=name, shape=shape, type=ir.TensorType(kind), const_value=tensor
    )
    node = ir.node('Cast', [stored], attributes={'to': ir.DataType.FLOAT.value})
    (converted,) = node.outputs
    converted.shape = value.shape
    converted.type = value.type
    del graph.initializers[value.name]
    converted.name = value.name
    ir.convenience.replace_all_uses_with(value, converted)
    graph.initializers[name] = stored
    return node


def _should_fold(node: ir.Node) -> bool | None:
    """Leave the conversions of stored tensors in the graph; None for other nodes."""
    source = node.inputs[0] if node.inputs else None
    is_stored = source is not None and (source.name or '').endswith(_HALF)
    return False if is_stored else None


if __name__ == '__main__':
    run_tool(add_arguments, main)
