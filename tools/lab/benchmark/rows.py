"""Rows of a benchmark: models by name or config, with settings and variants.

A row is written ``MODEL[:OPTION]...``. The model is a name of :data:`ROWS`, a config
file, ``PACKAGE::CONFIG``, or ``mmhot://NAME`` of shipped weights. An option is

* ``KEY=VALUE``: another setting in the config, for example
  ``model.backbone.depth=2``; lists as ``[1,2]``;
* ``input=(T,K,C)``: the shape of one input, where the config does not tell;
* ``folded``: rewritten for inference, see :func:`mmhot.deploy.switch.switch_to_deploy`;
* ``channels_last``: pictures and kernels in that memory format;
* ``center``: the center frame of a window alone, as in its evaluation.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.deploy.switch import switch_to_deploy
from mmhot.errors import hint_at_names
from mmhot.lifting.load_model import load_lifter
from mmhot.models.lifters.estimator import SequencePoseLifter
from mmhot.weights.building import build_model
from mmhot.weights.config_files import find_config, read_config_file
from mmhot.weights.index import SCHEME

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
ROWS = {
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
"""Short names, and what they stand for: a row, which may have options."""

_FLAGS = ('folded', 'channels_last', 'center')
# A colon that is no part of '::' or '://'.
_SEPARATOR = re.compile(r'(?<!:):(?![:/\\])')


@dataclass(frozen=True)
class Row:
    """A model to measure; see the module's description.

    Attributes:
        name (str): What to call it: short, else as it was written.
        source (str): Config file, ``PACKAGE::CONFIG`` or ``mmhot://NAME``.
        settings (tuple): Other settings of the config, pairs of key and text.
        shape (tuple[int, ...], optional): Shape of one input, without the batch.
        folded (bool): Whether to rewrite the model for inference.
        channels_last (bool): Whether to use that memory format.
        center (bool): Whether to ask for the center frame alone.
    """

    name: str
    source: str
    settings: tuple[tuple[str, str], ...] = ()
    shape: tuple[int, ...] | None = None
    folded: bool = False
    channels_last: bool = False
    center: bool = False


@dataclass(frozen=True)
class Built:
    """A row's model, ready to run.

    Attributes:
        model (nn.Module): In evaluation mode.
        shape (tuple[int, ...]): Shape of one input, without the batch.
        memory_format (torch.memory_format): Of a batch of inputs.
        center (bool): Whether the center frame is wanted alone.
    """

    model: nn.Module
    shape: tuple[int, ...]
    memory_format: torch.memory_format
    center: bool = False

    def inputs(self, batch_size: int) -> Tensor:
        """Draw a batch, on the model's device."""
        device = next(self.model.parameters()).device
        x = torch.randn(batch_size, *self.shape, device=device)
        return x.contiguous(memory_format=self.memory_format)

    def __call__(self, x: Tensor) -> Any:
        """Run the network: what MMPose calls the mode 'tensor'."""
        if self.center:
            feats = self.model.extract_feat(x, target='center')
            return self.model.head.wanted(feats, 'center')
        return self.model(x, None, mode='tensor')


def parse_row(text: str) -> Row:
    """Read a row as users write it.

    Raises:
        ValueError: If the model or an option is unknown.
    """
    source, *options = _SEPARATOR.split(text)
    name = ':'.join(
        [Path(source).stem if re.search(r'[/\\]', source) else source, *options]
    )
    if source in ROWS:
        source, *meant = _SEPARATOR.split(ROWS[source])
        options = meant + options
    elif not ('::' in source or source.startswith(SCHEME) or source.endswith('.py')):
        hint = hint_at_names(source, ROWS, 'there are')
        raise ValueError(f'unknown model {source}: neither a config nor a row; {hint}')
    row = {'settings': ()}
    for option in options:
        key, separator, value = option.partition('=')
        if key in _FLAGS and not separator:
            row[key] = True
        elif key == 'input':
            row['shape'] = _read_shape(option, value)
        elif separator:
            row['settings'] += ((key, value),)
        else:
            raise ValueError(
                f'{text}: unknown option {option!r}; an option is KEY=VALUE of the '
                f'config, input=(SHAPE), {" or ".join(_FLAGS)}'
            )
    return Row(name, source, **row)


def build_row(row: Row, device: str = 'cpu') -> Built:
    """Build a row's model, with random weights from a fixed seed.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it is none of a model that can be measured, or a setting is
            wrong.
    """
    config = _read_config(row)
    torch.manual_seed(0)
    model = build_model(config.model, row.name)
    shape = row.shape or _input_shape(config, model)
    if shape is None:
        raise ValueError(
            f'{row.name}: its config does not tell the shape of an input; add '
            ':input=(SHAPE), without the batch'
        )
    model = model.to(device).eval()
    if row.folded:
        switch_to_deploy(model)
    memory_format = torch.contiguous_format
    if row.channels_last:
        if len(shape) != 3:
            raise ValueError(f'{row.name}: channels_last is for pictures')
        memory_format = torch.channels_last
        model.to(memory_format=memory_format)
    if row.center and not isinstance(model, SequencePoseLifter):
        raise ValueError(f'{row.name}: center is for lifters of sequences')
    return Built(model, shape, memory_format, row.center)


def _read_config(row: Row) -> Config:
    if row.source.startswith(SCHEME):
        _, config, _ = load_lifter(row.source, None, 'cpu')
    else:
        config = read_config_file(find_config(row.source))
    if 'model' not in config:
        raise ValueError(f'{row.source}: this config has no model')
    try:
        config.merge_from_dict({key: _read_value(text) for key, text in row.settings})
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f'{row.name}: {error}') from error
    return config


def _input_shape(config: Config, model: nn.Module) -> tuple[int, ...] | None:
    """Shape of one input: a picture (3, H, W) or poses, in the model's own layout."""
    decoder = config.model.get('head', {}).get('decoder') or {}
    if 'input_size' in decoder:
        width, height = decoder['input_size']
        return 3, height, width
    backbone = config.model.backbone
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if backbone.type == 'TCN':  # whole poses, channels first
        return backbone.in_channels, dataset.get('seq_len', 1)
    if backbone.type == 'FlattenedPoseBackbone':
        return dataset.get('seq_len', 1), model.head.num_keypoints, 2
    backbone = model.backbone
    if hasattr(backbone, 'temp_embed') and hasattr(backbone, 'spat_embed'):
        # MMPose's DSTFormer keeps its sizes nowhere else
        sizes = backbone.temp_embed.shape[1], backbone.spat_embed.shape[1]
        return *sizes, backbone.in_channels
    names = ('num_frames', 'num_keypoints', 'in_channels')
    if all(hasattr(backbone, name) for name in names):
        return tuple(getattr(backbone, name) for name in names)
    return None


def _read_shape(option: str, text: str) -> tuple[int, ...]:
    shape = _read_value(text)
    shape = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f'{option}: a shape is like input=(243,17,2)')
    return shape


def _read_value(text: str) -> Any:
    """Read a Python literal; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
