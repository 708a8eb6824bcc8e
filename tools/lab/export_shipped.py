"""Write the ONNX graphs of the shipped weights, beside these.

Those of the speed presets are written with their kept patches and frames, too. Run it
after weights were replaced. Example::

    python -m tools.lab.export_shipped
"""

import argparse
import json
import sys

from mmhot.apis.onnx_models import open_exportable
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.deploy.onnx_graphs import trace_graph
from mmhot.video.speed import SPEEDS
from mmhot.weights.backends import graph_with_keep
from mmhot.weights.hub import META_FILE
from mmhot.weights.index import DEFAULT_LIFTER, shipped_weights

_GTPT = 'gtpt-t_coco17_synth'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'names', nargs='*', metavar='NAME', help='shipped weights (default: all)'
    )
    return parser.parse_args()


def write_graphs(names: list[str]) -> None:
    """Write the graphs of shipped weights; see the module."""
    from tools.lab.shared_weights import write_sharing_graph

    shipped = shipped_weights()
    for name in names or shipped:
        if name not in shipped:
            raise ValueError(f'{name} is not shipped: {", ".join(shipped)} are')
        weights = shipped[name]
        graph = weights.with_suffix('.onnx')
        opened = open_exportable(f'mmhot://{name}')
        files = {graph: opened}
        settings = {
            _GTPT: {speed.keep_rates for speed in SPEEDS.values()},
            DEFAULT_LIFTER: {each.keep and (each.keep,) for each in SPEEDS.values()},
        }
        for keep in settings.get(name, {None}) - {None}:
            path = graph_with_keep(graph, keep)
            files[path] = open_exportable(f'mmhot://{name}', keep=keep)
        for path, opened in files.items():
            program = trace_graph(opened.graph, opened.real[:3], optimize=False)
            metadata = {META_FILE: json.dumps(opened.meta)}
            write_sharing_graph(program.model, weights, metadata, path)
            print_line(f'{path}: {path.stat().st_size} bytes')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('export_shipped.py', lambda: write_graphs(args.names))


if __name__ == '__main__':
    sys.exit(main())
