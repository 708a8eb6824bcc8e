"""2D models and detectors by name, and the choice of a 2D model where none is named.

The names of mmhot, MMPose and MMDetection are in metafiles of the packages, which are
read without importing the packages.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mmhot.errors import hint_at_names, require_file
from mmhot.weights.config_files import find_config
from mmhot.weights.hub import cache_folder, cached_file, download
from mmhot.weights.index import (
    SCHEME,
    IndexedModel,
    find_model,
    read_index,
    read_models,
    shipped_weights,
)

_RTMPOSE = 'rtmpose-m_8xb256-420e_body8-256x192'

# The detector of MMPose's inferencer, and its names.
_HUMAN = ('human', 'body', 'wholebody')
_HUMAN_CONFIG = 'demo/mmdetection_cfg/rtmdet_m_640-8xb32_coco-person.py'
_OPENMMLAB = 'https://download.openmmlab.com/mmpose/v1/projects'
_HUMAN_WEIGHTS = (
    f'{_OPENMMLAB}/rtmposev1/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth'
)


class NamedFile(NamedTuple):
    """ONNX file of a 2D model that is downloaded once, where it is named."""

    url: str
    megabytes: float
    license: str
    # 'human' would be another download
    detector: str | None = 'pose-verified'

    def path(self, name: str) -> Path:
        """Return where it is kept."""
        return cache_folder() / 'mmhot' / 'models' / f'{name}{Path(self.url).suffix}'


NAMED_FILES = {
    'movenet': NamedFile(
        'https://huggingface.co/Xenova/movenet-singlepose-thunder/resolve/main/onnx/'
        'model_fp16.onnx',
        12.6,
        'Apache-2.0, Google',
    ),
    'rtmpose-m': NamedFile(
        f'{_OPENMMLAB}/rtmposev1/onnx_sdk/'
        'rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip',
        50,
        'Apache-2.0, OpenMMLab',
    ),
    'rtmo-s': NamedFile(
        f'{_OPENMMLAB}/rtmo/onnx_sdk/'
        'rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip',
        37,
        'Apache-2.0, OpenMMLab',
        detector=None,  # detects people itself
    ),
}
"""2D models of others by name, of COCO's 17 keypoints."""
TASKS_2D = ('body_2d_keypoint', 'wholebody_2d_keypoint')
DETECTION = ('detection',)
"""Tasks of the index: folders of the configs."""


class NamedModel(NamedTuple):
    """Config file of a model, and file or URL of its weights (empty if unknown)."""

    config: Path
    weights: str = ''


def find_pose_model(name: str) -> NamedModel:
    """Find a 2D pose model by name, in mmhot's index first.

    Args:
        name (str): A config file, ``PACKAGE::PATH``, a name or alias of mmhot's or
            MMPose's index, or ``mmhot://NAME`` of shipped weights.
    """
    return _find(name, TASKS_2D, 'mmpose', '2D model of mmhot or MMPose')


def find_detector(name: str) -> NamedModel:
    """Find a detector by name: as above, in MMDetection's index, or 'human'."""
    if name in _HUMAN:
        return NamedModel(_folder('mmpose') / _HUMAN_CONFIG, _HUMAN_WEIGHTS)
    return _find(name, DETECTION, 'mmdet', 'detector of mmhot or MMDetection')


def shipped_models(tasks: tuple[str, ...]) -> list[IndexedModel]:
    """Return the models of some tasks whose weights are shipped, the default first."""
    weights = shipped_weights()
    return [
        model
        for model in read_models()
        if model.task in tasks and model.weights.removeprefix(SCHEME) in weights
    ]


def fetch_named(
    name: str, show: Callable[[int, int], None] = lambda done, total: None
) -> str:
    """Return the file of one of :data:`NAMED_FILES`, downloaded once; else the name.

    ``show`` receives megabytes done and in total.
    """
    if name not in NAMED_FILES or Path(name).exists():
        return name
    file = NAMED_FILES[name]
    return str(download(file.url, path=file.path(name), show=show))


def _find(name: str, tasks: tuple[str, ...], package: str, kind: str) -> NamedModel:
    """Find a model by file, or by name in mmhot's or a package's index."""
    path = Path(name)
    if '::' in name:
        return NamedModel(find_config(name))
    if path.suffix == '.py':
        return NamedModel(require_file(path))
    if path.is_file():
        raise ValueError(
            f'{path} is neither a config (.py) nor an .onnx or .zip file: checkpoints '
            'are given as pose2d_weights or det_weights'
        )
    if model := find_model(name, tasks):
        return NamedModel(model.config, model.weights)
    names = [*NAMED_FILES] if tasks is TASKS_2D else []
    own = (model for model in read_models() if model.task in tasks)
    names += [name for model in own for name in (*model.aliases, model.name)]
    folder = _folder(package)
    for entry in read_index(folder):
        aliases = entry.get('Alias') or []
        aliases = [aliases] if isinstance(aliases, str) else aliases
        if name in (entry['Name'], *aliases):
            return NamedModel(folder / entry['Config'], entry.get('Weights') or '')
        names += aliases or [entry['Name']]
    hint = hint_at_names(name, names, 'for example')
    raise ValueError(f'{name!r} is neither a file nor a {kind}; {hint}')


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f'{package} is not installed: see mmhot doctor')
    return Path(spec.submodule_search_locations[0], '.mim')


def choose_best() -> str:
    """Choose the best 2D model that needs no download, for ``--pose2d auto``.

    RTMPose-m with RTMDet-m if their packages are installed and their files were
    downloaded, otherwise the default.
    """
    if all(importlib.util.find_spec(package) for package in ('mmpose', 'mmdet')):
        urls = find_pose_model(_RTMPOSE).weights, find_detector(_HUMAN[0]).weights
        if all(cached_file(url).is_file() for url in urls):
            return _RTMPOSE
    return shipped_models(TASKS_2D)[0].name
