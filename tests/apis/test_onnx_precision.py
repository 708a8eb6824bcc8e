"""Exports in 16-bit floats and 8-bit integers: what is lost, what is refused."""

import json

import numpy as np
import pytest
from hosts import TRI, build_lifter, windows

from mmhot.apis import onnx_export
from mmhot.apis.onnx_export import export_onnx
from mmhot.apis.onnx_models import Exportable
from mmhot.apis.onnx_precision import MAX_LOSS, measure_loss
from mmhot.deploy.onnx_graphs import LifterGraph


def one_hot(places, length):
    return np.eye(length, dtype=np.float32)[places]


def test_loss_of_2d_models_is_in_pixels_of_the_crop():
    meta = {'kind': 'pose2d', 'codec': {}, 'crop': {'size': [192, 256]}}
    wanted = {'simcc_x': one_hot([[10, 20]], 384), 'simcc_y': one_hot([[7, 9]], 512)}
    found = {'simcc_x': one_hot([[16, 20]], 384), 'simcc_y': one_hot([[15, 9]], 512)}
    loss = measure_loss(meta, found, wanted)
    assert loss.mean == pytest.approx((3**2 + 4**2) ** 0.5 / 2)
    assert loss.high == pytest.approx(0.95 * 5)
    assert str(loss) == '2.5 px of crop on average, 95 % within 4.75'


def test_loss_of_heatmaps_is_in_pixels_of_the_crop():
    meta = {'kind': 'pose2d', 'codec': {}, 'crop': {'size': [192, 256]}}
    maps = np.zeros((1, 1, 64, 48), np.float32)
    wanted, found = maps.copy(), maps.copy()
    wanted[0, 0, 5, 6] = found[0, 0, 7, 6] = 1
    loss = measure_loss(meta, {'heatmaps': found}, {'heatmaps': wanted})
    assert loss.mean == pytest.approx(8)


def test_loss_of_lifters_is_in_millimeters_if_their_output_is_metric():
    meta = {'kind': 'lifter', 'codec': {'type': 'CameraPoseLifting'}}
    wanted = np.zeros((2, 1, 17, 3), np.float32)
    loss = measure_loss(meta, {'poses': wanted + [0, 0.003, 0.004]}, {'poses': wanted})
    assert loss.mean == pytest.approx(5)
    assert loss.unit == 'mm'
    meta['codec']['type'] = 'ImageSpacePoseLifting'
    loss = measure_loss(meta, {'poses': wanted}, {'poses': wanted})
    assert loss.unit == 'thousandths of half a width'


def test_loss_of_detectors_is_what_does_not_overlap():
    wanted = np.zeros((2, 100, 5), np.float32)
    wanted[0, 0] = (0, 0, 100, 100, 0.9)
    wanted[0, 1] = (200, 0, 300, 100, 0.5)
    wanted[1, 0] = (0, 0, 100, 100, 0.2)  # of a low score: not compared
    found = np.zeros_like(wanted)
    found[0, 3] = (0, 0, 100, 80, 0.7)
    meta = {'kind': 'detector'}
    loss = measure_loss(meta, {'dets': found}, {'dets': wanted})
    assert loss.mean == pytest.approx((20 + 100) / 2)
    nothing = measure_loss(meta, {'dets': found}, {'dets': np.zeros_like(wanted)})
    assert nothing.mean == 0


@pytest.fixture
def lifter(monkeypatch):
    """A small hourglass in place of a named model."""
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    graph = LifterGraph(build_lifter('MixSTE', 'MotionPruner', TRI))
    meta = {'kind': 'lifter', 'name': 'small', 'codec': {'type': 'CameraPoseLifting'}}

    def open_small(model, checkpoint, keep, inputs, number):
        return Exportable(graph, meta, windows(number))

    monkeypatch.setattr(onnx_export, 'open_exportable', open_small)


@pytest.mark.slow(reason='exports models')
@pytest.mark.parametrize('precision', ['float16', 'int8'])
def test_reduced_files_run_and_say_what_is_lost(lifter, precision, tmp_path):
    import onnx

    lines = []
    flag = {'float16': 'fp16', 'int8': 'int8'}[precision]
    export_onnx(
        'small',
        out=tmp_path / 'out',
        **{flag: True},
        max_loss=1e6,
        say=lines.append,
    )
    meta = json.loads((tmp_path / 'out/meta.json').read_text())
    assert meta['precision'] == precision
    assert f'in {precision} 16 real inputs differ by' in meta['loss']
    assert lines[-1] == f'small: {meta["loss"]}'
    assert meta['loss'][1:] in (tmp_path / 'out/README.md').read_text()
    model = onnx.load(tmp_path / 'out/model.onnx')
    metadata = {each.key: each.value for each in model.metadata_props}
    assert metadata['precision'] == precision
    assert json.loads(metadata['meta.json']).items() <= meta.items()
    operators = {node.op_type for node in model.graph.node}
    assert ('DequantizeLinear' in operators) == (precision == 'int8')
    assert {node.domain for node in model.graph.node} <= {'', 'ai.onnx'}
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


@pytest.mark.slow(reason='exports a model')
def test_too_large_a_loss_writes_nothing(lifter, tmp_path):
    with pytest.raises(
        ValueError, match=r'differ by .* nothing is written above 1e-06'
    ):
        export_onnx('small', out=tmp_path / 'out', int8=True, max_loss=1e-6)
    assert not (tmp_path / 'out').exists()


def test_losses_are_limited_by_default():
    assert MAX_LOSS == {'pose2d': 1, 'lifter': 5, 'detector': 5}
