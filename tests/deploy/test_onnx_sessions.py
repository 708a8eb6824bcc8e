"""Sessions of ONNX Runtime: devices."""

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
