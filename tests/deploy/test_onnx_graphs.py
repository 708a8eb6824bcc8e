"""Exported ONNX graphs compute what PyTorch computes."""

import pytest
import torch
from hosts import TRA, TRI, build_lifter, windows
from mmpose.registry import MODELS

from examples import gumbel_pruner  # noqa: F401 registers
from mmhot.deploy.onnx_graphs import (
    OPSET,
    LifterGraph,
    PoseGraph,
    choose_boxes,
    write_graph,
)
from tools.benchmark.runnable_models import open_model

# Rounding, of outputs whose size is about 1.
CLOSE = {'rtol': 1e-4, 'atol': 1e-4}
LEARNED = dict(type='GumbelPruner', num_keep=4, depth=2, embed_dims=16)
LIFTERS = [
    ('MixSTE', LEARNED, TRA),
    ('MixSTE', 'ClusterPruner', TRA),
    ('MixSTE', 'AttentionPruner', TRI),
    ('MotionBERT', 'MotionPruner', TRI),
    ('MHFormer', 'ClusterPruner', None),
    ('MotionAGFormer', 'UniformPruner', TRA),
    ('MixSTE', 'ClusterPruner', None),
    ('MotionBERT', 'ClusterPruner', None),
    ('MotionAGFormer', 'ClusterPruner', None),
    ('MixSTE', None, None),
    ('MotionBERT', None, None),
    ('MotionAGFormer', None, None),
]
STEM = dict(type='GTPTStem', stem_channels=8, stage_channels=(8,))
# MMPose's backbone, at the resolution of the stem.
RESNET = dict(
    type='ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    num_stages=1,
    out_indices=(0,),
    strides=(1,),
    dilations=(1,),
)
CROPS = dict(input_size=(48, 64))
GATED_ATTENTION = dict(
    hidden_dims=16,
    s=8,
    expansion_factor=2,
    act_fn='SiLU',
    dropout_rate=0.0,
    drop_path=0.0,
    use_rel_bias=False,
    pos_enc=False,
)
SIMCC = dict(in_featuremap_size=(12, 16), simcc_split_ratio=2.0, **CROPS)
SIMCC['gau_cfg'] = GATED_ATTENTION
_LABEL = dict(type='SimCCLabel', sigma=(2.0, 2.0), simcc_split_ratio=2.0)
DECODERS = {
    'HeatmapHead': dict(type='MSRAHeatmap', heatmap_size=(12, 16), sigma=1.0, **CROPS),
    'RTMCCHead': dict(**_LABEL, **CROPS),
}


def compare(graph, inputs, tmp_path, opset=OPSET):
    """Export with three samples, run with one and with all."""
    pytest.importorskip('onnx')
    pytest.importorskip('onnxscript')
    runtime = pytest.importorskip('onnxruntime')
    path = tmp_path / 'model.onnx'
    write_graph(graph, inputs[:3], path, {'name': 'tiny'}, opset)
    session = runtime.InferenceSession(path)
    assert session.get_modelmeta().custom_metadata_map['name'] == 'tiny'
    versions = {o.domain: o.version for o in load(path).opset_import if o.version}
    assert versions == {'': opset}
    for batch in (inputs[:1], inputs):
        with torch.no_grad():
            expected = [output.numpy() for output in graph(batch)]
        given = {graph.input_name: batch.numpy()}
        outputs = session.run(list(graph.output_names), given)
        torch.testing.assert_close(outputs, expected, **CLOSE)
    return expected


def load(path):
    import onnx

    return onnx.load(path)


@pytest.mark.slow
@pytest.mark.parametrize(('host', 'pruner', 'recoverer'), LIFTERS)
def test_lifters(host, pruner, recoverer, tmp_path):
    graph = LifterGraph(build_lifter(host, pruner, recoverer))
    [poses] = compare(graph, windows(5), tmp_path)
    recovers = pruner is None or recoverer is not None
    assert poses.shape == (5, 9 if recovers else 1, 17, 3)


@pytest.mark.slow
def test_equal_scores_keep_lower_indices_in_onnx(tmp_path):
    graph = LifterGraph(build_lifter('MixSTE', 'MotionPruner', TRI))
    still = windows(4)[:, :1].expand(-1, 9, -1, -1).contiguous()
    compare(graph, still, tmp_path)  # poses of other frames have other positions


@pytest.mark.slow
@pytest.mark.parametrize(
    ('backbone', 'keep_rates', 'share_slots'),
    [(STEM, (1.0, 0.5), True), (STEM, None, False), (RESNET, (1.0, 0.5), False)],
)
def test_gtpt(backbone, keep_rates, share_slots, tmp_path):
    torch.manual_seed(0)
    head = dict(
        type='GTPTHead',
        in_channels=8,
        out_channels=17,
        input_size=(48, 64),
        in_featuremap_size=(12, 16),
        patch_size=(3, 4),
        embed_dims=16,
        num_heads=2,
        coarse_depth=2,
        fine_depth=2,
        keypoint_layer=0,
        keep_rates=keep_rates,
        share_slots=share_slots,
        groups=[['head'], ['upper_body'], ['lower_body']],
        decoder=dict(type='GTPTLabel', **CROPS),
    )
    config = dict(type='TopdownPoseEstimator', backbone=backbone, head=head)
    graph = PoseGraph(MODELS.build(config).eval())
    x, _ = compare(graph, torch.randn(4, 3, 64, 48), tmp_path)
    assert x.shape == (4, 17, 96)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('head', 'shapes'),
    [
        (dict(type='HeatmapHead', deconv_out_channels=None), [(4, 17, 16, 12)]),
        (dict(type='RTMCCHead', **SIMCC), [(4, 17, 96), (4, 17, 128)]),
    ],
)
def test_2d_models_of_mmpose(head, shapes, tmp_path):
    torch.manual_seed(0)
    head = dict(in_channels=8, out_channels=17, decoder=DECODERS[head['type']], **head)
    config = dict(type='TopdownPoseEstimator', backbone=RESNET, head=head)
    graph = PoseGraph(MODELS.build(config).eval())
    outputs = compare(graph, torch.randn(4, 3, 64, 48), tmp_path)
    assert [each.shape for each in outputs] == shapes


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'htnet_1frm_1xb512-15e_cmu',
        'nanohtnet_243frm-keep27_1xb256-49e_cmu',
        'image-pose-lift_tcn_8xb64-200e_h36m',
        'video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m',
    ],
)
def test_lifters_of_configs(name, tmp_path):
    built = open_model(name)
    compare(LifterGraph(built.model), built.inputs(4), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('size', 'tsb')
@pytest.mark.parametrize('data', ['coco', 'coco-wholebody'])
def test_gtpt_of_configs(size, data, tmp_path):
    built = open_model(f'gtpt-{size}_4xb64-300e_{data}-256x192')
    x, _ = compare(PoseGraph(built.model), built.inputs(4), tmp_path)
    assert x.shape[:2] == (4, 17 if data == 'coco' else 133)


def test_boxes_that_overlap_better_ones_are_dropped():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 10, 10], [20, 20, 30, 30]])
    scores = torch.tensor([[0.5, 0.9, 0.3], [0.9, 0.5, 0.01]])
    chosen = choose_boxes(boxes.expand(2, -1, -1), scores, 0.6, 0.05)
    assert chosen.tolist() == [[False, True, True], [True, False, False]]
