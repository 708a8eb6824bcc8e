"""Models of the page: their files, and the settings that its script reads."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmhot.crops import IMAGE_MEAN, IMAGE_STD
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.backends import open_session, shipped_graph
from mmhot.weights.hub import META_FILE, MODEL_FILE, local_file

_TASKS = {
    'detector': ('detection',),
    'pose2d': ('body_2d_keypoint', 'wholebody_2d_keypoint'),
    'lifter': ('body_3d_keypoint',),
}
KINDS = tuple(_TASKS)
# As all of mmhot's networks of images use them.
_COLORS = {
    order: dict(mean=list(IMAGE_MEAN[::step]), std=list(IMAGE_STD[::step]))
    for order, step in (('RGB', 1), ('BGR', -1))
}


@dataclass(frozen=True)
class PageModel:
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
        kind (str): One of :data:`KINDS`.
        name (str): Name or alias of a model with shipped weights, or a folder of
            ``mmhot export`` or its address.

    Raises:
        ValueError: If it is neither, or of another kind.
    """
    graph = shipped_graph(name, _TASKS[kind])
    if graph is not None:
        return PageModel(_describe(kind, graph), graph, graph.with_suffix('.pth'))
    folder = local_file(name)
    if not all((folder / file).is_file() for file in (MODEL_FILE, META_FILE)):
        raise ValueError(
            f'{name} is neither a {kind} with shipped weights nor a folder of `mmhot '
            'export`'
        )
    meta = json.loads((folder / META_FILE).read_text(encoding='utf-8'))
    if meta['kind'] != kind:
        raise ValueError(f'{folder} is a {meta["kind"]}, not a {kind}')
    if kind == 'pose2d' and 'simcc_x' not in meta['outputs']:
        raise ValueError(
            f'{folder}: the page reads SimCC vectors, and its outputs are '
            f'{", ".join(meta["outputs"])}'
        )
    return PageModel(meta, folder / MODEL_FILE)


def _describe(kind: str, graph: Path) -> dict[str, Any]:
    """Describe a shipped graph as ``mmhot export`` does."""
    session = open_session(graph)
    facts = session.get_modelmeta().custom_metadata_map
    (entry,) = session.get_inputs()
    described, color = get_skeleton(facts.get('skeleton', 'h36m-17')).describe(), 'RGB'
    if kind == 'detector':
        described = {'resize': {'longer_side': int(facts['image_size'])}}
        color = 'BGR'
    elif kind == 'pose2d':
        size = entry.shape[:1:-1]
        described['crop'] = {'size': size, 'padding': float(facts['padding'])}
        described['score_curve'] = json.loads(facts.get('score_curve', 'null'))
    else:
        own = json.loads(facts['lifter'])
        settings = {'causal': False, 'mapping': 'trained', **own['lifting']}
        settings['frames_per_second'] = settings.pop('fps', 50.0)
        described |= {'codec': own['codec'], 'lifting': settings}
    colors = {} if kind == 'lifter' else {'color': color, **_COLORS[color]}
    return {
        'kind': kind,
        'name': facts['name'],
        'input': {'name': entry.name, 'shape': entry.shape, **colors},
        **described,
    }
