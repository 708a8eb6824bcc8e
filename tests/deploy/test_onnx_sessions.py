"""Sessions of ONNX Runtime: devices, files of weights."""

import onnxruntime
import pytest

from mmhot.deploy.onnx_sessions import open_session
from mmhot.weights.index import WEIGHTS_FOLDER


def test_gpus_run_exported_models(monkeypatch, tmp_path):
    """With onnxruntime-gpu, for which stands what it would be given."""
    path, sessions = tmp_path / 'end2end.onnx', []
    path.write_bytes(b'')
    available = ['CUDAExecutionProvider', 'CPUExecutionProvider']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: available)
    monkeypatch.setattr(
        onnxruntime,
        'InferenceSession',
        lambda *_, providers: sessions.append(providers),
    )
    for device in ('cuda', 'cuda:1', 'auto', 'cpu'):
        open_session(path, device)
    on_gpu = [
        [('CUDAExecutionProvider', {'device_id': n}), available[1]] for n in (0, 1, 0)
    ]
    assert sessions == [*on_gpu, available[1:]]
    with pytest.raises(ValueError, match='cannot use mps here'):
        open_session(path, 'mps')


@pytest.mark.parametrize('location', ['../a.data', '{}/a.data', 'a.link', 'own.data'])
@pytest.mark.parametrize('release', [None, '1.26.0'])
def test_weights_lie_in_the_folder_of_the_model(
    location, release, tmp_path, monkeypatch
):
    onnx = pytest.importorskip('onnx')
    folder = tmp_path / 'model'
    folder.mkdir()
    (tmp_path / 'a.data').write_bytes(bytes(16))
    (folder / 'a.link').symlink_to(tmp_path / 'a.data')
    (folder / 'own.data').write_bytes(bytes(16))
    tensor = onnx.TensorProto(name='w', data_type=1, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value=location.format(tmp_path))
    ends = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in 'xy']
    add = onnx.helper.make_node('Add', ['x', 'w'], ['y'])
    graph = onnx.helper.make_graph([add], 'g', ends[:1], ends[1:], [tensor])
    opset = [onnx.helper.make_opsetid('', 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    (folder / 'a.onnx').write_bytes(model.SerializeToString())
    message = 'is not a readable ONNX model'
    if release is None and location == 'own.data':
        assert open_session(folder / 'a.onnx')
        return
    if release is not None:
        message = 'may have weights in other files'
        monkeypatch.setattr(onnxruntime, '__version__', release)
    with pytest.raises(ValueError, match=message):
        open_session(folder / 'a.onnx')


def test_old_releases_open_shipped_models(monkeypatch):
    monkeypatch.setattr(onnxruntime, '__version__', '1.23.2')
    assert open_session(WEIGHTS_FOLDER / 'nanohtnet_81frm-keep9_cmu-wild.onnx')
