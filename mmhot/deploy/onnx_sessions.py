"""ONNX files in ONNX Runtime: sessions, devices, threads and metadata."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmhot.errors import require_file

META_FILE = 'meta.json'
"""Name of a model's metadata, in its ONNX file and beside it."""
_CPU_PROVIDER = 'CPUExecutionProvider'


def count_threads() -> int:
    """Count the threads for ONNX Runtime: those set for PyTorch, or all cores."""
    threads = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]
    return int(threads if threads.isdecimal() else 0) or os.cpu_count() or 1


def is_on_cpu(session: Any) -> bool:
    """Return whether ONNX Runtime runs a session on the CPU alone."""
    return session.get_providers() == [_CPU_PROVIDER]


def open_session(
    path: str | Path, device: str = 'cpu', threads: int | None = None
) -> Any:
    """Open an ONNX file with ONNX Runtime.

    The device is 'cpu', 'cuda', 'cuda:N', or 'auto', the GPU if ONNX Runtime can use
    one; threads of a run on a CPU are :func:`count_threads` by default.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ONNX Runtime is not installed, or cannot use the device or read
            the file.
    """
    path = require_file(path)
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f'{path} needs ONNX Runtime: pip install onnxruntime'
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or count_threads()
    # waiting threads would keep cores busy that reading frames needs
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime has no common base for its errors
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{path} is not a readable ONNX model: {reason:.200}'
        ) from error


def read_meta(session: Any) -> dict[str, Any]:
    """Return the ``meta.json`` in files of ``mmhot export``; empty for others."""
    facts = session.get_modelmeta().custom_metadata_map
    return json.loads(facts.get(META_FILE, '{}'))


def _providers(device: str, known: Sequence[str]) -> list[Any]:
    kind, _, number = device.partition(':')
    cuda, cpu = 'CUDAExecutionProvider', _CPU_PROVIDER
    if kind == 'cpu' or (kind == 'auto' and cuda not in known):
        return [cpu]
    if cuda not in known or kind not in ('auto', 'cuda'):
        raise ValueError(
            f'ONNX Runtime cannot use {device} here: pip install onnxruntime-gpu, or '
            "choose device='cpu'"
        )
    return [(cuda, {'device_id': int(number or 0)}), cpu]
