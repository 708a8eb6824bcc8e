"""Models of a benchmark: names, configs, settings and variants.

A model is written ``MODEL[:OPTION]...``. ``MODEL`` is a name of :data:`MODELS`, a
config file, ``PACKAGE::CONFIG``, or ``mmhot://NAME`` of shipped weights. An option is

* ``KEY=VALUE``: a setting of the config, for example ``model.backbone.depth=2``; lists
  as ``[1,2]``;
* ``input=(T,K,C)``: the shape of one input, if the config does not define it;
* ``onnx``: exported, and run by ONNX Runtime; lifters and 2D models.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.deploy.onnx_graphs import KEPT, LifterGraph, PoseGraph, write_graph
from mmhot.errors import hint_at_names
from mmhot.weights.config_files import read_config_file
from mmhot.weights.index import SCHEME
from mmhot.weights.load_lifter import load_lifter
from mmhot.weights.loading import build_model
from tools.analysis.cost import input_shape

_2D = 'mmpose::body_2d_keypoint'
_VIDEO = 'mmpose::body_3d_keypoint/video_pose_lift/h36m/video-pose-lift'
_MOTIONBERT = 'mmpose::body_3d_keypoint/motionbert/h36m/motionbert'
_3D = 'mmhot::body_3d_keypoint'
_HOSTS = {
    'mixste-243': f'{_3D}/mixste/h36m/mixste_243frm_1xb4-160e_h36m-cpn.py',
    'hot-mixste-243': f'{_3D}/hot/h36m/hot-mixste_243frm-keep81_1xb4-160e_h36m-cpn.py',
    'tpc-mixste-243': f'{_3D}/hot/h36m/tpc-mixste_243frm-keep61_1xb4-160e_h36m-cpn.py',
    'mhformer-351': f'{_3D}/mhformer/h36m/mhformer_351frm_1xb128-20e_h36m-cpn.py',
    'tpc-mhformer-351': f'{_3D}/mhformer/h36m/'
    'tpc-mhformer_351frm-keep117_1xb210-20e_h36m-cpn.py',
    'motionagformer-b-243': f'{_3D}/motionagformer/h36m/'
    'motionagformer-b_243frm_1xb16-60e_h36m.py',
    'hot-motionagformer-b-243': f'{_3D}/motionagformer/h36m/'
    'hot-motionagformer-b_243frm-keep81_1xb16-60e_h36m.py',
    'motionbert-243': f'{_3D}/motionbert/h36m/motionbert_243frm_1xb32-120e_h36m.py',
    'motionbert-lite-243': f'{_3D}/motionbert/h36m/'
    'motionbert-lite_243frm_1xb32-60e_h36m.py',
    'hot-motionbert-lite-243': f'{_3D}/hot/h36m/'
    'hot-motionbert-lite_243frm-keep81_1xb32-60e_h36m.py',
}
_GTPT = {
    f'gtpt-{size}{name}': f'mmhot::{task}/gtpt/{data}/gtpt-{size}_{file}-256x192.py'
    for name, task, data, file in (
        ('', 'body_2d_keypoint', 'coco', '4xb64-300e_coco'),
        (
            '-wholebody',
            'wholebody_2d_keypoint',
            'coco-wholebody',
            '4xb64-300e_coco-wholebody',
        ),
    )
    for size in 'tsb'
}
_NANOHTNET = 'mmhot::body_3d_keypoint/nanohtnet/cmu_mocap/nanohtnet'
MODELS = {
    'rtmpose-t': f'{_2D}/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py',
    'rtmpose-s': f'{_2D}/rtmpose/coco/rtmpose-s_8xb256-420e_coco-256x192.py',
    'rtmpose-m': f'{_2D}/rtmpose/coco/rtmpose-m_8xb256-420e_coco-256x192.py',
    'simcc-mobilenetv2': f'{_2D}/simcc/coco/'
    'simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py',
    'hrnet-w32': f'{_2D}/topdown_heatmap/coco/'
    'td-hm_hrnet-w32_8xb64-210e_coco-256x192.py',
    'simple-baseline-3d': 'mmpose::body_3d_keypoint/image_pose_lift/h36m/'
    'image-pose-lift_tcn_8xb64-200e_h36m.py',
    'tcn-27': f'{_VIDEO}_tcn-27frm-supv_8xb128-160e_h36m.py',
    'tcn-243': f'{_VIDEO}_tcn-243frm-supv_8xb128-160e_h36m.py',
    'dstformer-243': f'{_MOTIONBERT}_dstformer-243frm_8xb32-240e_h36m.py',
    'htnet': 'mmhot::body_3d_keypoint/htnet/cmu_mocap/htnet_1frm_1xb512-15e_cmu.py',
    'nanohtnet-243-9': f'{_NANOHTNET}_243frm-keep9_1xb256-49e_cmu.py',
    'nanohtnet-243-27': f'{_NANOHTNET}_243frm-keep27_1xb256-49e_cmu.py',
    'nanohtnet-81-9': f'{_NANOHTNET}_81frm-keep9_1xb256-49e_cmu.py',
    **_HOSTS,
    **_GTPT,
}
"""Short names and their configs, which may have options."""

_OPTIONS = ('onnx',)
# A colon outside of '::', '://' and Windows' drives.
_SEPARATOR = re.compile(r'(?<!:):(?![:/\\])')


@dataclass(frozen=True)
class ModelSpec:
    """A model to measure; see the module's docstring.

    Attributes:
        name (str): Name in tables, with options.
        source (str): Config file, ``PACKAGE::CONFIG`` or ``mmhot://NAME``.
        settings (tuple): Changed settings of the config, pairs of key and text.
        shape (tuple[int, ...], optional): Shape of one input, without the batch.
        options (tuple[str, ...]): Other options, ``onnx`` and so on.
    """

    name: str
    source: str
    settings: tuple[tuple[str, str], ...] = ()
    shape: tuple[int, ...] | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuiltModel:
    """A model, ready to run.

    Attributes:
        model (nn.Module): In evaluation mode.
        shape (tuple[int, ...]): Shape of one input, without the batch.
        run_onnx (Callable, optional): Runs the exported model instead.
    """

    model: nn.Module
    shape: tuple[int, ...]
    run_onnx: Callable[[Tensor], Any] | None = None

    def inputs(self, batch_size: int) -> Tensor:
        """Draw a random batch on the model's device."""
        device = next(self.model.parameters()).device
        return torch.randn(batch_size, *self.shape, device=device)

    def __call__(self, x: Tensor) -> Any:
        """Run the network, MMPose's mode 'tensor'."""
        if self.run_onnx is not None:
            return self.run_onnx(x)
        return self.model(x, None, mode='tensor')


def parse_spec(text: str) -> ModelSpec:
    """Parse ``MODEL[:OPTION]...``.

    Raises:
        ValueError: If the model or an option is unknown.
    """
    source, *options = _SEPARATOR.split(text)
    name = ':'.join(
        [Path(source).stem if re.search(r'[/\\]', source) else source, *options]
    )
    if source in MODELS:
        source, *own_options = _SEPARATOR.split(MODELS[source])
        options = own_options + options
    elif not ('::' in source or source.startswith(SCHEME) or source.endswith('.py')):
        hint = hint_at_names(source, MODELS, 'there are')
        raise ValueError(
            f'unknown model {source}: neither a config nor a short name; {hint}'
        )
    spec = {'settings': (), 'options': ()}
    for option in options:
        key, separator, value = option.partition('=')
        if option in _OPTIONS:
            spec['options'] += (option,)
        elif key == 'input':
            spec['shape'] = _read_shape(option, value)
        elif separator:
            spec['settings'] += ((key, value),)
        else:
            raise ValueError(
                f'{text}: unknown option {option!r}; an option is KEY=VALUE of the '
                f'config, input=(SHAPE), {" or ".join(_OPTIONS)}'
            )
    return ModelSpec(name, source, **spec)


def build_spec(spec: ModelSpec, device: str = 'cpu') -> BuiltModel:
    """Build a model with random weights from a fixed seed.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the model cannot be measured, or a setting is wrong.
    """
    config = _read_config(spec)
    torch.manual_seed(0)
    model = build_model(config.model, spec.name)
    shape = spec.shape or input_shape(config, model)
    if shape is None:
        raise ValueError(
            f'{spec.name}: its config does not define the shape of an input; add '
            ':input=(SHAPE), without the batch'
        )
    model = model.to(device).eval()
    if 'onnx' in spec.options:
        return _export(spec, model, shape)
    return BuiltModel(model, shape)


def _export(spec: ModelSpec, model: nn.Module, shape: tuple[int, ...]) -> BuiltModel:
    """Export a model, and open the file with as many threads as PyTorch has."""
    graph = (PoseGraph if len(shape) == 3 and shape[0] == 3 else LifterGraph)(model)
    with TemporaryDirectory() as folder:
        file = Path(folder, 'model.onnx')
        write_graph(graph, torch.randn(3, *shape), file, {})
        names = [name for name in graph.output_names if not name.startswith(KEPT)]
        run = _open_onnx(file, names)
    return BuiltModel(model, shape, run_onnx=run)


def _open_onnx(file: Path, names: list[str]) -> Callable[[Tensor], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        file.read_bytes(), options, providers=['CPUExecutionProvider']
    )
    (given,) = session.get_inputs()
    return lambda x: session.run(names, {given.name: x.numpy()})


def _read_config(spec: ModelSpec) -> Config:
    if spec.source.startswith(SCHEME):
        config = load_lifter(spec.source, None).config
    else:
        config = read_config_file(spec.source)
    if 'model' not in config:
        raise ValueError(f'{spec.source}: this config has no model')
    try:
        config.merge_from_dict({key: _read_value(text) for key, text in spec.settings})
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f'{spec.name}: {error}') from error
    return config


def _read_shape(option: str, text: str) -> tuple[int, ...]:
    shape = _read_value(text)
    shape = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f'{option}: must be a shape like input=(243,17,2)')
    return shape


def _read_value(text: str) -> Any:
    """Parse a Python literal; other text is a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
