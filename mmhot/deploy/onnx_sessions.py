"""ONNX files in ONNX Runtime: sessions, devices, threads and metadata."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmhot.errors import ArgumentError, naming, one_line, pip, require_file

if TYPE_CHECKING:  # the command line starts without it
    import numpy as np

META_FILE = 'meta.json'
"""Name of a model's metadata, in its ONNX file and as a file beside it."""
# First version of ONNX Runtime that opens no files outside of the model's folder.
_SAFE_VERSION = (1, 27)
# Key of the path in models whose weights are in another file.
_LOCATION = b'location'
# Folder of shipped models, which have their weights in the checkpoint beside them.
_SHIPPED = Path(__file__).parents[1] / 'weights'
_FATAL = 4  # log level; lower levels print errors that are also raised
_CPU_PROVIDER = 'CPUExecutionProvider'


def count_threads() -> int:
    """Return the number of threads for a model: OMP_NUM_THREADS, or one per core."""
    threads = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]
    return int(threads if threads.isdecimal() else 0) or os.cpu_count() or 1


def is_on_cpu(session: Any) -> bool:
    """Return whether a session of ONNX Runtime uses the CPU alone."""
    return session.get_providers() == [_CPU_PROVIDER]


def open_session(
    path: str | Path, device: str = 'cpu', threads: int | None = None
) -> Any:
    """Open an ONNX file with ONNX Runtime.

    Args:
        path (str | Path): The file.
        device (str): 'cpu', 'cuda', 'cuda:N', or 'auto' for a GPU if ONNX Runtime can
            use one. Defaults to 'cpu'.
        threads (int, optional): Threads on a CPU. Defaults to :func:`count_threads`.

    Returns:
        onnxruntime.InferenceSession: The session.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If ONNX Runtime cannot use the device or read the file, or is too
            old to open the file safely.

    Example::

        session = open_session('lifter.onnx')
        [poses] = run_session(session, 'lifter.onnx', windows, ['poses'])
    """
    import onnxruntime

    path = require_file(path)
    release = tuple(map(int, onnxruntime.__version__.split('.')[:2]))
    is_shipped = path.parent.samefile(_SHIPPED)
    if release < _SAFE_VERSION and not is_shipped and _LOCATION in path.read_bytes():
        update = pip('install', '-U', 'onnxruntime')
        raise ValueError(
            f'{path} may have weights in other files, which ONNX Runtime '
            f'{onnxruntime.__version__} opens in any folder: {update}'
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = threads or count_threads()
    # Spinning threads would occupy the cores that decode frames.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise ValueError(
            f'{path} is not a readable ONNX model: {one_line(error):.200}'
        ) from error


def read_meta(session: Any, path: str | Path) -> dict[str, Any]:
    """Return the metadata that ``mmhot export`` writes into a model.

    Returns:
        dict[str, Any]: Fields of ``meta.json`` that are not null; empty for models of
        other programs.

    Raises:
        ValueError: If the metadata is damaged.
    """
    text = session.get_modelmeta().custom_metadata_map.get(META_FILE, '{}')
    with naming(Path(path)):
        return {k: v for k, v in json.loads(text).items() if v is not None}


def run_session(
    session: Any, path: str | Path, inputs: 'np.ndarray', outputs: Sequence[str]
) -> 'list[np.ndarray]':
    """Run a model with one input.

    Args:
        session (onnxruntime.InferenceSession): The session.
        path (str | Path): Its file, for messages.
        inputs (np.ndarray): Batch, (B, ...); it is cast to the type of the model.
        outputs (Sequence[str]): Names of the outputs.

    Returns:
        list[np.ndarray]: The outputs, (B, ...) each; floats are float32.

    Raises:
        ValueError: If the run fails.
    """
    import onnxruntime

    [entry] = session.get_inputs()
    kind = entry.type.removeprefix('tensor(').removesuffix(')')
    kind = {'float': 'float32', 'double': 'float64'}.get(kind, kind)
    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL
    try:
        cast = inputs.astype(kind, copy=False)
        arrays = session.run(outputs, {entry.name: cast}, options)
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise ValueError(f'{path} cannot be run: {one_line(error):.200}') from error
    return [x.astype('f4', copy=False) if x.dtype.kind == 'f' else x for x in arrays]


def _providers(device: str, available: Sequence[str]) -> list[Any]:
    """Return ONNX Runtime's providers for a device, the preferred one first."""
    kind, _, number = device.partition(':')
    cuda = 'CUDAExecutionProvider'
    if kind == 'cpu' or (kind == 'auto' and cuda not in available):
        return [_CPU_PROVIDER]
    if cuda not in available or kind not in ('auto', 'cuda'):
        raise ArgumentError(
            "ONNX Runtime cannot use %s here: %s, or choose {device='cpu'}",
            device,
            pip('install', 'onnxruntime-gpu'),
        )
    return [(cuda, {'device_id': int(number or 0)}), _CPU_PROVIDER]
