"""Sessions of ONNX Runtime: devices, files of weights."""

import onnxruntime
import pytest

from mmhot.deploy.onnx_sessions import open_session


def test_gpus_run_exported_models(monkeypatch, tmp_path):
    """With onnxruntime-gpu, for which stands what it would be given."""
    path, given = tmp_path / 'end2end.onnx', []
    path.write_bytes(b'')
    known = ['CUDAExecutionProvider', 'CPUExecutionProvider']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: known)
    monkeypatch.setattr(
        onnxruntime, 'InferenceSession', lambda *_, providers: given.append(providers)
    )
    for device in ('cuda', 'cuda:1', 'auto', 'cpu'):
        open_session(path, device)
    on_gpu = [
        [('CUDAExecutionProvider', {'device_id': n}), known[1]] for n in (0, 1, 0)
    ]
    assert given == [*on_gpu, known[1:]]
    with pytest.raises(ValueError, match='cannot use mps here'):
        open_session(path, 'mps')


@pytest.mark.parametrize('location', ['../a.onnx.data', 'b.data', 'a.link', 'a.gone'])
def test_weights_lie_in_a_file_of_their_own(location, tmp_path):
    """It is refused before ONNX Runtime opens anything."""
    onnx = pytest.importorskip('onnx')
    folder = tmp_path / 'model'
    folder.mkdir()
    for path in (tmp_path / 'a.onnx.data', folder / 'b.data'):
        path.write_bytes(bytes(16))
    (folder / 'a.link').symlink_to(tmp_path / 'a.onnx.data')
    tensor = onnx.TensorProto(name='w', data_type=1, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value=location)
    graph = onnx.helper.make_graph([], 'g', [], [], [tensor])
    (folder / 'a.onnx').write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(ValueError, match='for its weights, which must lie beside it'):
        open_session(folder / 'a.onnx')
