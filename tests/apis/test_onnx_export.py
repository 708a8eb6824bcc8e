"""Export of whole models: folders, parity, the keypoints of ``mmhot infer``."""

import json

import pytest
import torch
from hosts import TRI, build_lifter, windows
from mmengine.config import Config

from mmhot.apis import onnx_models
from mmhot.apis.onnx_export import check_parity, export_onnx
from mmhot.apis.onnx_models import Exportable, open_exportable
from mmhot.deploy.onnx_graphs import LifterGraph, write_graph


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / 'README.md').write_text('mine')
    with pytest.raises(ValueError, match='out must be new, empty, or the folder of'):
        export_onnx('gtpt-t', out=tmp_path)
    assert (tmp_path / 'README.md').read_text() == 'mine'


def test_inputs_are_eight_windows_as_described():
    opened = open_exportable('nanohtnet_81frm-keep9_cmu-wild')
    assert opened.inputs.shape == (8, 81, 17, 2)
    assert opened.meta['lifting']['fps'] == 50
    assert opened.meta['outputs']['poses']['shape'] == ['batch', 9, 17, 3]
    json.dumps(opened.meta)


@pytest.mark.slow
def test_other_weights_are_noticed(tmp_path):
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    graph = LifterGraph(build_lifter('MixSTE', 'MotionPruner', TRI))
    inputs, path = windows(8), tmp_path / 'model.onnx'
    write_graph(graph, inputs[:3], path, {})
    opened = Exportable(graph, {}, inputs)
    assert len(check_parity(opened, path)) == 1
    with torch.no_grad():
        graph.model.head.fc.bias += 0.01
    with pytest.raises(ValueError, match=r'poses differs .* by 0\.01, more than'):
        check_parity(opened, path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('gtpt-t_wholebody133_synth', 'pose2d'),
        ('rtmdet-nano_person_synth', 'detector'),
        ('nanohtnet_81frm-keep9_cmu-wild', 'lifter'),
        ('tps-tri-motionbert-xs_81frm-keep27_cmu-wild', 'lifter'),
    ],
)
def test_shipped_models_of_each_kind_pass_the_comparison(name, kind, tmp_path):
    pytest.importorskip('onnxscript')
    export_onnx(name, out=tmp_path / 'out')
    meta = json.loads((tmp_path / 'out/meta.json').read_text())
    assert meta['kind'] == kind
    assert len(meta['parity']) == 1


def test_crops_of_udp_are_refused():
    steps = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=1.2),
        dict(type='TopdownAffine', input_size=(192, 256)),
        dict(type='PackPoseInputs'),
    ]
    config = Config(dict(test_dataloader=dict(dataset=dict(pipeline=steps))))
    settings = onnx_models._crop_settings(config, 'mine')
    assert (settings['padding'], settings['size']) == (1.2, [192, 256])
    config.test_dataloader.dataset.pipeline[2].use_udp = True
    with pytest.raises(ValueError, match='mine: .* TopdownAffine without use_udp'):
        onnx_models._crop_settings(config, 'mine')
