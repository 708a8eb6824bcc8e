"""Every config builds, runs, and has data that fit its model."""

import inspect
import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from numpy.testing import assert_equal
from paths import CONFIGS
from published import WithoutValues
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.lifters.estimator import SequencePoseLifter
from mmhot.models.lifters.host import Host
from mmhot.skeletons.joints import get_skeleton
from tools.analysis.cost import count_cost
from tools.runner import merge_options

# Without MMPose's own data and hooks: see tests/models/lifters/test_mmpose_parts.py
LEAVES = sorted({*CONFIGS.glob('[!_]*/*/*/*.py')} - {*CONFIGS.rglob('*-mmpose.py')})
DETECTORS = [path for path in LEAVES if path.is_relative_to(CONFIGS / 'detection')]
PRETRAINED = [path for path in LEAVES if path.stem.startswith('poseclr_')]
LIFTERS = sorted(
    {*CONFIGS.glob('body_3d_keypoint/*/*/*.py')} & {*LEAVES} - {*PRETRAINED}
)
TOPDOWN = [path for path in LEAVES if path not in LIFTERS + PRETRAINED + DETECTORS]


SLOW = pytest.mark.slow(reason='runs each network, some minutes')
# One network of each kind, in each run of the tests.
KINDS = (
    'gtpt-t_4xb64-300e_coco-256x192',
    'htnet_1frm_1xb512-15e_cmu',
    'nanohtnet_243frm-keep9_1xb256-49e_cmu',
    'hot-motionbert-lite_243frm-keep81_1xb32-60e_cmu',
    'tpc-mhformer_81frm-keep27_1xb210-20e_cmu',
    'hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild',
    'motionagformer-xs_27frm_1xb16-60e_cmu',
    'poseclr_htnet-1frm_1xb256-30e_cmu',
)

# Parts of a head that do not change the pass in mode 'tensor'.
_NO_LAYERS = ('loss', 'decoder')

read = cache(Config.fromfile)


@pytest.fixture(params=LEAVES, ids=lambda path: path.stem)
def config(request):
    return deepcopy(read(request.param))


@pytest.fixture(params=TOPDOWN, ids=lambda path: path.stem)
def topdown_config(request):
    return deepcopy(read(request.param))


@cache
def _entries():
    entries = {}
    for path in CONFIGS.glob('*/*/metafile.yml'):
        # in C, where there is a compiler
        loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
        for entry in yaml.load(path.read_text(), loader)['Models']:
            entries[CONFIGS.parent / entry['Config']] = entry
    return entries


def _build(path):
    """Build on the meta device, once for all configs of a model: some are large."""
    config = read(path)
    if str(config.model) not in _MODELS:
        _MODELS[str(config.model)] = _build_on_meta(config.model, config.default_scope)
    return _MODELS[str(config.model)]


def _build_on_meta(model, scope):
    with DefaultScope.overwrite_default_scope(scope), WithoutValues():
        return MODELS.build(model).eval().to('meta')


_MODELS, _PASSES = {}, {}


@torch.no_grad()
def _run(path):
    """Output of few layers, computed once for all configs of the same network."""
    model = read(path).model
    head = model.get('head') or model.get('bbox_head') or model.projector
    head = {key: head[key] for key in head if key not in _NO_LAYERS}
    network = str(model.backbone), str(head), _inputs(path)[0].shape
    if network not in _PASSES:
        config = deepcopy(read(path))
        remove_layers(config.model, _build(path).backbone)
        model = _build_on_meta(config.model, config.default_scope)
        _PASSES[network] = model(*_inputs(path))
    return _PASSES[network]


def remove_layers(model, backbone):
    """Leave one layer after the last pruner of a host: all layers are alike."""
    if isinstance(backbone, Host):
        layers = 1 + max((each.depth for each in backbone.hourglass.pruners), default=1)
        if 'depth' in inspect.signature(type(backbone)).parameters:
            model.backbone.depth = layers


def _inputs(path):
    """Arguments of a model's pass: a sample on the meta device."""
    model = read(path)
    if path in DETECTORS:
        width, height = model.test_size
        return (torch.zeros(1, 3, height, width, device='meta'),)
    if path in TOPDOWN:
        width, height = model.model.head.input_size
        return torch.zeros(1, 3, height, width, device='meta'), None
    backbone = _build(path).backbone
    shape = 1, backbone.num_frames, 17, getattr(backbone, 'in_channels', 2)
    return torch.zeros(shape, device='meta'), None


H36M = [path for path in LIFTERS if path.parent.name == 'h36m']


def sampled(paths):
    """Mark other sizes and data of the same parts as slow."""
    seen, marked = set(), []
    for path in paths:
        name = re.sub('-(xs|s|b|l|lite)$', '', path.stem.split('_')[0])
        marked.append(pytest.param(path, marks=SLOW if name in seen else ()))
        seen.add(name)
    return marked


@pytest.mark.parametrize('path', sampled(LIFTERS), ids=lambda path: path.stem)
def test_config_builds_a_lifter_that_runs(path):
    backbone = _build(path).backbone
    poses = _run(path)
    if not isinstance(poses, tuple):
        # all frames are predicted, even if only the center one is evaluated
        assert poses.shape == (1, backbone.num_keep_frames, 17, 3)
        return
    poses, kept = poses
    assert backbone.num_keep_frames == 1
    assert poses.shape == (1, backbone.hourglass.lengths[-1], 17, 3)
    assert kept.shape == poses.shape[:2]


# Strides of windows in training and evaluation, as published: see the pages.
STRIDES = [
    (r'htnet|nanohtnet|mhformer|tpc-mhformer', 1, 1),
    (r'tpc-mixste_243', 243, 1),
    (r'tpc-motion(bert-lite|agformer-b)_243', 81, 1),
    (r'(h.*-)?(\w+-\w+-)?mixste_243', 243, 243),
    (r'(h.*-)?(\w+-\w+-)?motion(bert|agformer-[bl])(-lite)?_243', 81, 243),
    (r'mixste_81|tps-tri-motionbert-xs_81', 81, 81),
    (r'motionagformer-s_81', 27, 81),
    (r'motionagformer-xs_27', 9, 27),
]


@pytest.mark.parametrize('path', H36M, ids=lambda path: path.stem)
def test_strides_on_human36m_are_those_of_the_protocol(path):
    wanted = next(own for name, *own in STRIDES if re.match(name, path.stem))
    datasets = [read(path)[f'{split}_dataloader'].dataset for split in ('train', 'val')]
    assert [dataset.stride for dataset in datasets] == wanted


PAGE = CONFIGS / 'body_3d_keypoint/hot/README.md'
# Parameters of a column's hourglasses with TRA, with TRI, and of their pyramids.
PRODUCT = {
    'mixste': (35000323, 33783811, 35052035, 33783811),
    'motionbert': (16347661, 16001549, 16373517, 16001549),
    'motionagformer': (11828031, 11720895, 11839987, 11719923),
}


def _product():
    """Read the table of options: one case for each cell, and for its pyramid."""
    lines = PAGE.read_text().partition('| | `model.backbone.pruner.type`')[2]
    head, _, pyramid, *rows = lines.partition('\n\n')[0].splitlines()
    columns = [PAGE.parent / path for path in re.findall(r'\(([^)]+\.py)\)', head)]
    pairs = re.findall(r'`(\[\d,\d\])`', pyramid)
    for row in rows:
        name, *cells = (cell.strip() for cell in row.strip('|').split('|'))
        kinds = [cell.strip('`') for cell in cells[:2]]
        for path, pair, costs in zip(columns, pairs, cells[2:], strict=True):
            for place, cost in enumerate(costs.split(', ')):
                case = path, kinds, pair if place else None, float(cost)
                yield pytest.param(*case, id=f'{name} {path.stem} {place}')


def _by_options(path, kinds, pair):
    parts = 'model.backbone.pruner', 'model.backbone.recoverer'
    options = {f'{part}.type': kind for part, kind in zip(parts, kinds, strict=True)}
    if pair:
        options[f'{parts[0]}.num_keep'] = [121, 61]
        options[f'{parts[0]}.depth'] = json.loads(pair)
    if 'motionagformer' in path.stem:  # the paper's own
        options |= {'model.backbone.num_heads': 8, 'model.backbone.num_neighbors': 2}
    merge_options(config := deepcopy(read(path)), options)
    return config, _build_on_meta(config.model, config.default_scope)


@pytest.mark.parametrize(('path', 'kinds', 'pair', 'cost'), _product())
def test_every_pruner_and_recoverer_is_around_every_host_by_options(
    path, kinds, pair, cost
):
    config, model = _by_options(path, kinds, pair)
    counts = next(PRODUCT[host] for host in PRODUCT if host in path.stem)
    count = sum(each.numel() for each in model.parameters())
    assert count == counts[2 * bool(pair) + kinds[1].startswith('Interp')]
    hourglass = model.backbone.hourglass
    assert {type(pruner).__name__ for pruner in hourglass.pruners} == {kinds[0]}
    assert type(hourglass.recoverer).__name__ == kinds[1]
    assert hourglass.lengths[-1] == (61 if pair else 81)
    assert {**config, 'model': None} == {**read(path), 'model': None}


@SLOW
@pytest.mark.parametrize(('path', 'kinds', 'pair', 'cost'), _product())
def test_table_has_the_cost_of_an_hourglass(path, kinds, pair, cost):
    _, model = _by_options(path, kinds, pair)
    assert round(count_cost(model, *_inputs(path)).macs / 1e9, 1) == cost


def test_product_has_48_hourglasses():
    assert len({case.id for case in _product()}) == 3 * 4 * 2 * 2


@pytest.mark.parametrize('path', PRETRAINED, ids=lambda path: path.stem)
def test_config_builds_an_embedding_of_views(path):
    assert _run(path).shape == (1, 17 * 8)
    views = read(path).train_dataloader.dataset
    assert views.type == 'MultiViewDataset'
    assert views.dataset.seq_len == _build(path).backbone.num_frames


def test_finetuning_takes_the_backbone_and_the_encoding_of_a_pretraining():
    pretrained = {path.stem: read(path) for path in PRETRAINED}
    finetuned = [path for path in LIFTERS if path.parents[1].name == 'poseclr']
    for path in finetuned:
        config = deepcopy(read(path))
        start = config.model.backbone.pop('init_cfg')
        before = pretrained[Path(start.checkpoint).parent.name]
        assert config.model.backbone == before.model.backbone
        epochs = before.train_cfg.max_epochs
        assert Path(start.checkpoint).name == f'epoch_{epochs}.pth'
        encoders = [
            next(step.encoder for step in steps if step.type == 'GenerateTarget')
            for steps in (
                config.train_dataloader.dataset.pipeline,
                before.train_dataloader.dataset.dataset.pipeline,
            )
        ]
        assert encoders == [before.codec] * 2
    assert len(finetuned) == 6


@pytest.mark.parametrize('path', TOPDOWN, ids=lambda path: path.stem)
def test_config_builds_an_estimator_that_runs(path):
    width, height = read(path).model.head.input_size
    x, y = _run(path)
    num_keypoints = read(path).model.head.out_channels
    assert x.shape == (1, num_keypoints, 2 * width)
    assert y.shape == (1, num_keypoints, 2 * height)


@pytest.mark.parametrize('path', DETECTORS, ids=lambda path: path.stem)
def test_config_builds_a_detector_that_runs(path):
    scores, sides = _run(path)
    width, height = read(path).test_size
    for stride, score, side in zip((8, 16, 32), scores, sides, strict=True):
        cells = height // stride, width // stride
        assert score.shape == (1, 1, *cells)
        assert side.shape == (1, 4, *cells)


def test_encoder_and_decoder_agree(topdown_config):
    config = topdown_config
    decoder = KEYPOINT_CODECS.build(config.model.head.decoder)
    assert tuple(config.codec.input_size) == decoder.input_size
    for split in ('train', 'val', 'test'):
        pipeline = config[f'{split}_dataloader'].dataset.pipeline
        steps = {step['type']: step for step in pipeline}
        assert tuple(steps['TopdownAffine'].input_size) == decoder.input_size
        if split == 'train':
            encoder = KEYPOINT_CODECS.build(steps['GenerateTarget'].encoder)
            assert type(encoder) is type(decoder)
            differs = {'smoothing': 0}
            assert_equal(vars(encoder) | differs, vars(decoder) | differs)
            assert getattr(encoder, 'margin', 12) == 12


def test_dataset_has_the_keypoints_of_the_estimator(topdown_config):
    config = topdown_config
    dataset = config.train_dataloader.dataset
    # what MMPose's init_model reads
    meta = dataset.get('metainfo') or DATASETS.get(dataset.type).METAINFO
    meta = parse_pose_metainfo(meta)
    skeleton = get_skeleton(config.model.head.get('skeleton', 'coco-17'))
    assert skeleton.num_keypoints == meta['num_keypoints']
    assert skeleton.flip_indices == meta['flip_indices']
    assert get_skeleton(meta['dataset_name']) is skeleton


@pytest.mark.parametrize('path', LIFTERS, ids=lambda path: path.stem)
def test_dataset_has_the_frames_of_the_model(path):
    config, backbone = read(path), _build(path).backbone
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        dataset = dataset.get('dataset', dataset)  # within a RepeatDataset
        dataset, *_ = dataset.get('datasets', [dataset])
        inputs = dataset.get('multiple_target') or dataset.seq_len
        assert inputs == backbone.num_frames
        targets = dataset.get('multiple_target') or dataset.get('num_targets', 1)
        if split == 'train':
            # losses are of all predicted frames, or of those kept
            is_pruned = hasattr(backbone, 'hourglass')
            wanted = backbone.num_frames if is_pruned else backbone.num_keep_frames
            assert targets == wanted
        else:
            assert (targets == 1) == (config.model.test_cfg.target == 'center')


@pytest.mark.parametrize('path', LIFTERS, ids=lambda path: path.stem)
def test_config_has_the_settings_of_mmposes_inferencers(path):
    config = read(path)
    dataset, backbone = config.test_dataloader.dataset, config.model.backbone
    assert config.dataset_type == dataset.type
    assert config.data_mode == 'topdown'
    # MMPose's own networks have no number of frames
    frames = backbone.get('num_frames') or backbone.get('seq_len')
    assert dataset.seq_len == (frames or config.train_dataloader.dataset.seq_len)
    assert config.visualizer.type == 'Pose3dLocalVisualizer'
    targets = 1 if config.model.test_cfg.target == 'center' else dataset.seq_len
    assert dataset.num_targets == targets


def test_config_imports_the_plugin_and_can_be_resumed(config):
    assert config.custom_imports.imports == ['mmhot.plugin']
    is_detector = Path(config.filename) in DETECTORS
    assert config.default_scope == ('mmdet' if is_detector else 'mmpose')
    hooks = [hook['type'].removeprefix('mmpose.') for hook in config.custom_hooks]
    assert {'EpochSeedHook', 'SyncBuffersHook'} <= set(hooks)


# Settings that MMEngine's runner, MMPose's tools and inferencers, and mmhot read.
NO_WEIGHTS = 'mmhot://no-weights-of-this-config'
READ = {
    *inspect.signature(Runner).parameters,
    'train_pipeline',
    'val_pipeline',
    'codec',
    'data_mode',
    'data_root',
    'dataset_type',
    'lifting',
    'model_path',
    'auto_scale_lr',
    'backend_args',
    'custom_imports',
    'find_unused_parameters',
    'vis_backends',
    'metainfo',
    'test_size',
}


def test_config_dumps_no_variables_and_is_at_most_four_files_above_its_last_base(
    config,
):
    path = Path(config.filename)
    if path not in DETECTORS:  # MMDetection's own
        assert {*config} <= READ
        assert config.model_path == NO_WEIGHTS
    chain = [[path]]
    while chain[-1]:
        chain.append([base for file in chain[-1] for base in _bases(file)])
    assert len(chain) - 2 <= 4


@cache
def _bases(path):
    names = Config._get_base_files(str(path))
    return [Path(Config._get_cfg_path(name, str(path))[0]) for name in names]


def test_a_config_without_weights_says_so():
    with pytest.raises(ValueError, match='unknown weights: mmhot://no-weights-of-this'):
        CheckpointLoader.load_checkpoint(NO_WEIGHTS)


@pytest.mark.parametrize('path', _entries(), ids=lambda path: path.stem)
def test_metafile_has_the_name_and_the_parameters(path):
    entry = _entries()[path]
    assert entry['Name'] == path.stem
    count = sum(each.numel() for each in _build(path).parameters())
    assert entry['Metadata']['Parameters'] == count


COUNTED = [
    path if path.stem in KINDS else pytest.param(path, marks=SLOW)
    for path in TOPDOWN + LIFTERS + PRETRAINED[1:]
    if path in _entries()
]


@pytest.mark.parametrize('path', DETECTORS + COUNTED, ids=lambda path: path.stem)
def test_metafile_has_the_cost(path):
    metadata = _entries()[path]['Metadata']
    cost = count_cost(_build(path), *_inputs(path))
    assert metadata['MACs'] == pytest.approx(cost.macs, rel=1e-3)


class _Watch(TorchDispatchMode):
    """Forbid copies from the CPU to a GPU."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        output = operation(*args, **kwargs or {})
        leaves = tree_leaves((args, kwargs, output))
        tensors = [x for x in leaves if isinstance(x, torch.Tensor) and x.ndim]
        devices = {x.device.type for x in tensors}
        assert len(devices) < 2, f'{operation} is of {devices}'
        return output


def _build_on_cpu(model):
    torch.manual_seed(0)
    model.backbone.pop('init_cfg', None)
    size = (model.get('head') or {}).get('input_size')
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(model).eval()
        model.init_weights()  # as a training does
    if size is not None:
        return model, (1, 3, *size[::-1])
    channels = getattr(model.backbone, 'in_channels', 2)
    return model, (1, model.backbone.num_frames, 17, channels)


NETWORKS = [
    path if path.stem in KINDS else pytest.param(path, marks=SLOW)
    for path in TOPDOWN + LIFTERS + PRETRAINED
]


@torch.no_grad()
@pytest.mark.parametrize('path', NETWORKS, ids=lambda path: path.stem)
def test_network_neither_copies_to_a_gpu_nor_waits_for_it(path):
    """Run it on what stands for a GPU's tensors."""
    model, shape, config = _shortened(path)
    head = getattr(model, 'head', None)
    with FakeTensorMode():
        model._apply(lambda x: torch.empty(x.shape, dtype=x.dtype, device='cuda'))
        x = torch.empty(shape, device='cuda')
        with _Watch():
            if isinstance(model, SequencePoseLifter):
                model.lift(x, get_skeleton('h36m-17').flip_indices)
            elif isinstance(head, GTPTHead):
                feats, flip = model.extract_feat(x), [*range(config.head.out_channels)]
                sample = PoseDataSample(metainfo={'flip_indices': flip})
                head.estimate([feats, feats], [sample], {'flip_test': True})
            else:
                model(x, None, mode='tensor')


def _shortened(path):
    """Build a network with the fewest layers and frames that its pruners allow."""
    config, backbone = deepcopy(read(path).model), _build(path).backbone
    remove_layers(config, backbone)
    is_host = isinstance(backbone, Host)
    if is_host and 'projector' not in config:
        frames, pruners = backbone.num_frames, config.backbone.get('pruner') or []
        config.backbone.num_frames = 36
        for pruner in [pruners] if isinstance(pruners, dict) else pruners:
            pruner.num_keep = 36 * pruner.num_keep // frames
    elif not is_host and path not in TOPDOWN and 'depth' in config.backbone:
        config.backbone.depth = 1
    if 'generation_depth' in config.backbone:
        config.backbone.generation_depth = 1
    if (config.get('head') or {}).get('type') == 'GTPTHead':  # a layer by keep rate
        config.head.update(keypoint_layer=1, coarse_depth=3, fine_depth=1)
    return *_build_on_cpu(config), config
