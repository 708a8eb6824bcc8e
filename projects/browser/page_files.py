"""Files of the page: its scripts, the models with their settings, ONNX Runtime Web."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import mmhot
from mmhot.deploy.onnx_sessions import open_session, read_meta
from mmhot.structures.lens import UsualFocals
from mmhot.weights.names import DETECTOR, LIFTER, POSE, resolve

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / 'demo/walk.mp4'
BUNDLE = HERE / 'build/scene.js'
ORT = HERE / 'node_modules/onnxruntime-web/dist'
"""Results of ``npm ci && npm run build``."""
ORT_FILES = (
    'ort.wasm.min.mjs',
    'ort-wasm-simd-threaded.mjs',
    'ort-wasm-simd-threaded.wasm',
    'ort.webgpu.min.mjs',
    'ort-wasm-simd-threaded.asyncify.mjs',
    'ort-wasm-simd-threaded.asyncify.wasm',
)
"""ONNX Runtime Web for the CPU, and with WebGPU."""
MODELS: Mapping[str, str] = MappingProxyType(
    {
        'detector': 'rtmdet-nano-person',
        'pose2d': 'gtpt-t',
        'lifter': 'nanohtnet_81frm-keep9_cmu-wild',
    }
)
"""Models of the page by their kind."""
_TASKS = {'detector': DETECTOR, 'pose2d': POSE, 'lifter': LIFTER}
# Settings of the page, by which its folder is recognized.
_SETTINGS, _GENERATOR = 'page.json', 'mmhot projects/browser'


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


def write_page(out: Path, models: Mapping[str, str] = MODELS) -> None:
    """Write the page to a folder for any web server.

    Args:
        out (Path): The folder, which is created; it must be new, empty, or such a page.
        models (Mapping[str, str]): ``detector``, ``pose2d`` and ``lifter``: names of
            models with shipped weights, or folders of ``mmhot export``.

    Raises:
        ValueError: If a model cannot run in the page, or the folder has other files.
        FileNotFoundError: If ``npm ci && npm run build`` did not run.
    """
    if out.exists() and not _is_own(out):
        raise ValueError(f'{out} must be a new or empty folder, or such a page')
    runtime = [ORT / name for name in ORT_FILES]
    for path in (BUNDLE, *runtime):
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} does not exist: run `npm ci && npm run build` in {HERE}'
            )
    found = {kind: find_model(kind, models[kind]) for kind in _TASKS}
    settings = json.dumps(_describe(found), indent=1)
    out.mkdir(parents=True, exist_ok=True)
    (out / _SETTINGS).write_text(settings, encoding='utf-8')
    _copy([*(HERE / 'page').iterdir(), BUNDLE], out)
    shutil.copyfile(EXAMPLE, out / 'example.mp4')
    _copy(runtime, out / 'ort')
    for kind, model in found.items():
        folder = out / 'models' / kind
        _copy([model.weights] if model.weights else [], folder)
        shutil.copyfile(model.graph, folder / 'model.onnx')
        meta = json.dumps(model.meta, indent=1)
        (folder / 'meta.json').write_text(meta, encoding='utf-8')


def _is_own(out: Path) -> bool:
    """Whether a folder is empty or a page that was written before."""
    if not out.is_dir() or not any(out.iterdir()):
        return out.is_dir()
    try:
        settings = json.loads((out / _SETTINGS).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and settings.get('generator') == _GENERATOR


def find_model(kind: str, name: str) -> PageModel:
    """Find a model of the page.

    Args:
        kind (str): A key of :data:`MODELS`.
        name (str): Name or alias of a model with shipped weights, or a folder of
            ``mmhot export``.

    Raises:
        ValueError: If it is neither, or of another kind.
    """
    named = resolve(name, _TASKS[kind])
    graph = named.graph
    if graph is None or not graph.is_file():
        raise ValueError(
            f'{name} is neither a {kind} with shipped weights nor a folder of `mmhot '
            'export`'
        )
    meta = read_meta(open_session(graph), graph)
    if not meta:
        raise ValueError(f'{name} was not written by `mmhot export`')
    if meta['kind'] != kind:
        raise ValueError(f'{name} is a {meta["kind"]}, not a {kind}')
    if kind == 'pose2d' and 'simcc_x' not in meta['outputs']:
        raise ValueError(
            f'{name}: the page reads SimCC vectors, and its outputs are '
            f'{", ".join(meta["outputs"])}'
        )
    return PageModel(meta, graph, named.weights or None)


def _copy(sources: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, folder / source.name)


def _describe(models: Mapping[str, PageModel]) -> dict[str, Any]:
    """Collect the settings of the page."""
    lifter = models['lifter'].meta
    return {
        'generator': _GENERATOR,
        'version': mmhot.__version__,
        'models': {
            kind: {
                'folder': f'models/{kind}',
                'weights': model.weights and model.weights.name,
            }
            for kind, model in models.items()
        },
        'recipes': joint_recipes(
            models['pose2d'].meta['skeleton'], lifter['lifting']['mapping']
        ),
        'usualFocals': asdict(UsualFocals()),
    }


def joint_recipes(skeleton: str, mapping: str) -> list[list[tuple[int, float, float]]]:
    """Return the joints of lifters as weighted sums of keypoints.

    Args:
        skeleton (str): Skeleton of the keypoints.
        mapping (str): See :func:`mmhot.convert_keypoints`.

    Returns:
        list: Of each joint, the indices of keypoints with their weights along x and y;
        empty if it cannot be derived.
    """
    count = mmhot.get_skeleton(skeleton).num_keypoints
    single = np.repeat(np.eye(count)[:, :, None], 2, axis=2)
    weights, *_ = mmhot.convert_keypoints(single, None, skeleton, 'h36m-17', mapping)
    return [
        [
            (index, *weights[index, joint].tolist())
            for index in range(count)
            if weights[index, joint].any() and np.isfinite(weights[:, joint]).all()
        ]
        for joint in range(weights.shape[1])
    ]
