"""Sessions of ONNX Runtime: devices, files of weights."""

import numpy as np
import onnxruntime
import pytest

from mmhot.deploy import onnx_sessions
from mmhot.deploy.onnx_sessions import open_session, run_session


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


@pytest.mark.parametrize('rounds', [2**62, None])
def test_runs_that_do_not_end_are_stopped(rounds, tmp_path, monkeypatch, capfd):
    """Also where a library would write more to the terminal."""
    onnx = pytest.importorskip('onnx')
    monkeypatch.setattr(onnx_sessions, '_LONGEST_RUN', 0.2)
    monkeypatch.setattr(onnx_sessions, '_CHECK', 0.1)
    onnx_sessions._watched_runs.cache_clear()
    info, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    counts = [info('i', 7, []), info('c', 9, []), info('a', 1, None)]
    nodes = [make('Identity', ['c'], ['d']), make('Add', ['a', 'a'], ['b'])]
    ends = [info('d', 9, []), info('b', 1, None)]
    body = onnx.helper.make_graph(nodes, 'body', counts, ends)
    known = {'always': np.array(True), 'rounds': np.array(rounds or 0)}
    loop = make('Loop', ['rounds' if rounds else '', 'always', 'x'], ['y'], body=body)
    graph = onnx.helper.make_graph(
        [loop],
        *('g', [info('x', 1, [1])], [info('y', 1, None)]),
        [onnx.numpy_helper.from_array(each, name) for name, each in known.items()],
    )
    path = tmp_path / 'a.onnx'
    opset = [onnx.helper.make_opsetid('', 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r'a\.onnx cannot be run: it has not ended'):
        run_session(open_session(path), path, np.ones(1), ['y'])
    onnx_sessions._watched_runs.cache_clear()
    assert not capfd.readouterr().err
