"""Static page that lifts videos in the visitor's browser: its files and its server.

The page runs exported models with ONNX Runtime Web, whose files are downloaded once and
checked, or taken from an unpacked npm package.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import mmhot
from mmhot.lifting.clip_encoder import fill_joints
from mmhot.skeletons.joints import get_skeleton, linear_recipes
from mmhot.structures.lens import DEFAULT_FOCAL_RATIO
from mmhot.visualization.drawing import SIDE_COLORS
from mmhot.weights.backends import open_session, read_meta, shipped_graph
from mmhot.weights.downloads import cache_folder, check_digest, download
from mmhot.weights.hub import META_FILE, MODEL_FILE, local_file
from mmhot.weights.index import LIVE_LIFTER

ORT_VERSION = '1.30.0'
"""Version of onnxruntime-web; the same as in the package.json of the viewer."""
_ORT_URL = f'https://cdn.jsdelivr.net/npm/onnxruntime-web@{ORT_VERSION}/dist'
_ORT_FILES = {
    'ort.wasm.min.mjs': (
        '219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b'
    ),
    'ort-wasm-simd-threaded.mjs': (
        'e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b'
    ),
    'ort-wasm-simd-threaded.wasm': (
        '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2'
    ),
    'ort.webgpu.min.mjs': (
        '3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0'
    ),
    'ort-wasm-simd-threaded.asyncify.mjs': (
        '3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28'
    ),
    'ort-wasm-simd-threaded.asyncify.wasm': (
        '39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da'
    ),
}
MODELS: Mapping[str, str] = MappingProxyType(
    {'detector': 'rtmdet-nano-person', 'pose2d': 'gtpt-t', 'lifter': LIVE_LIFTER}
)
"""Models of the page by their kind."""
_TASKS = {
    'detector': ('detection',),
    'pose2d': ('body_2d_keypoint', 'wholebody_2d_keypoint'),
    'lifter': ('body_3d_keypoint',),
}
_H36M = 'h36m-17'
HEADERS = {
    # pages that are isolated like this may use threads
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cache-Control': 'no-cache',
}


def write_page(
    out: Path,
    models: Mapping[str, str] = MODELS,
    ort: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Write the page, its models and ONNX Runtime Web to a folder for any web server.

    Args:
        out (Path): The folder, which is created; it must be new, empty, or such a page.
        models (Mapping[str, str]): ``detector``, ``pose2d`` and ``lifter``: names of
            models with shipped weights, or folders of ``mmhot export``.
        ort (Path, optional): Folder ``dist`` of the npm package onnxruntime-web. By
            default its files are downloaded once.
        say (Callable): Receives lines about the progress.

    Raises:
        ValueError: If a model cannot run in the page, or a file has other content.
        FileNotFoundError: If a file is missing.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / 'page.json').is_file():
        raise ValueError(f'out must be a new or empty folder, or such a page: {out}')
    found = {kind: find_model(kind, models[kind]) for kind in _TASKS}
    config = json.dumps(_describe(found), indent=1)
    runtime = [_find_ort_file(name, ort, say) for name in _ORT_FILES]
    scene = files('mmhot.visualization') / 'viewer' / 'bundle.js'
    _copy([*(files('mmhot.ui') / 'browser').iterdir(), scene], out)
    _copy(runtime, out / 'ort')
    for kind, model in found.items():
        folder = out / 'models' / kind
        _copy([model.weights] if model.weights else [], folder)
        shutil.copyfile(model.graph, folder / MODEL_FILE)
        meta = json.dumps(model.meta, indent=1)
        (folder / META_FILE).write_text(meta, encoding='utf-8')
    (out / 'page.json').write_text(config, encoding='utf-8')


class PageModel(NamedTuple):
    """A model of the page.

    Attributes:
        meta (dict): Content of ``meta.json``, see ``docs/export.md``.
        graph (Path): The .onnx file.
        weights (Path, optional): File of the tensors, if they are not in the graph.
    """

    meta: dict[str, Any]
    graph: Path
    weights: Path | None = None


def find_model(kind: str, name: str) -> PageModel:
    """Find a model of the page.

    Args:
        kind (str): A key of :data:`MODELS`.
        name (str): Name or alias of a model with shipped weights, or a folder of
            ``mmhot export`` or its address.

    Raises:
        ValueError: If it is neither, or of another kind.
    """
    graph = shipped_graph(name, _TASKS[kind])
    weights = graph and graph.with_suffix('.pth')
    graph = graph or local_file(name) / MODEL_FILE
    meta = read_meta(open_session(graph), graph) if graph.is_file() else {}
    if not meta:
        raise ValueError(
            f'{name} is neither a {kind} with shipped weights nor a folder of `mmhot '
            'export`'
        )
    if meta['kind'] != kind:
        raise ValueError(f'{name} is a {meta["kind"]}, not a {kind}')
    if kind == 'pose2d' and 'simcc_x' not in meta['outputs']:
        raise ValueError(
            f'{name}: the page reads SimCC vectors, and its outputs are '
            f'{", ".join(meta["outputs"])}'
        )
    return PageModel(meta, graph, weights)


def _copy(sources: list[Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, folder / source.name)


def _find_ort_file(name: str, ort: Path | None, say: Callable[[str], None]) -> Path:
    """Return a file of ONNX Runtime Web with the known content."""
    sha256 = _ORT_FILES[name]
    if ort is None:
        path = cache_folder() / 'mmhot' / f'onnxruntime-web-{ORT_VERSION}' / name
        if not path.is_file():
            say(f'downloading {name} of onnxruntime-web {ORT_VERSION}, once')
        hint = f'; or give `ort`, dist of the npm package onnxruntime-web {ORT_VERSION}'
        path = download(f'{_ORT_URL}/{name}', hint, path)
    else:
        path = ort / name
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} does not exist: ort must be the folder dist of the npm '
                f'package onnxruntime-web {ORT_VERSION}'
            )
    check_digest(path, sha256)
    return path


def _describe(models: Mapping[str, PageModel]) -> dict[str, Any]:
    """Collect the settings of the page, ``page.json``."""
    pose2d, lifter = models['pose2d'].meta, models['lifter'].meta
    # a single known joint gives the standing person of the lifter, 100 pixels a torso
    root = np.full((1, get_skeleton(_H36M).num_keypoints, 2), np.nan)
    root[0, 0] = 0
    return {
        'version': mmhot.__version__,
        'models': {
            kind: {
                'folder': f'models/{kind}',
                'weights': model.weights and model.weights.name,
            }
            for kind, model in models.items()
        },
        'recipes': linear_recipes(
            pose2d['skeleton'], _H36M, lifter['lifting']['mapping']
        ),
        'standing': (fill_joints(root)[0] / 100).tolist(),
        'focalRatio': lifter['codec'].get('focal_ratio', DEFAULT_FOCAL_RATIO),
        'colors': dict(SIDE_COLORS),
    }


class _Handler(SimpleHTTPRequestHandler):
    """Serve files with the headers of isolated pages, and log nothing."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        '.js': 'text/javascript',
        '.mjs': 'text/javascript',
        '.json': 'application/json',
        '.wasm': 'application/wasm',
        '.onnx': 'application/octet-stream',
    }

    def end_headers(self) -> None:
        """Add the headers."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *args: Any) -> None:
        """Leave the log out."""


def open_server(folder: Path, host: str, ports: range) -> ThreadingHTTPServer:
    """Open a server of a page at the first free port; ``serve_forever`` runs it.

    Args:
        folder (Path): The page.
        host (str): Address to listen at.
        ports (range): Ports to try.

    Raises:
        ValueError: If no port is free.
    """
    for port in ports:
        try:
            return ThreadingHTTPServer(
                (host, port), partial(_Handler, directory=str(folder))
            )
        except OSError as error:
            reason = error.strerror or error
    raise ValueError(
        f'cannot listen at {host}, port {ports[0]} to {ports[-1]}: {reason}'
    )
