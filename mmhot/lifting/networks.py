"""Networks of lifters by back end: their interface, and those of ONNX files."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmhot.codecs.pose_lifting import LIFTING_CODECS, CameraPoseLifting
from mmhot.deploy.onnx_sessions import count_threads, is_on_cpu, open_session, read_meta
from mmhot.structures.keypoint_arrays import mirror_poses
from mmhot.weights.backends import find_graph, graph_with_keep, shipped_graph
from mmhot.weights.index import DEFAULT_LIFTER, SCHEME

Keep = int | Sequence[int]
"""Frames that each pruner keeps."""
# Windows per batch of networks whose activations fit into caches, or are unknown.
USUAL_BATCH_SIZE = 64
_TASKS = ('body_3d_keypoint',)


class LiftingNetwork(Protocol):
    """A model that maps encoded windows to encoded poses.

    Attributes:
        name (str): Name in results.
        weights (str): Name of the model and its weights, without settings.
        identity (str): Text that changes with the weights and settings.
        codec (CameraPoseLifting): Codec of the windows and poses.
        settings (Mapping): The config's ``lifting``.
        num_frames (int): Frames of a window.
        num_targets (int): Frames that are predicted, in its middle or at its end.
        usual_batch_size (int): Fastest number of windows per batch.
    """

    name: str
    weights: str
    identity: str
    codec: CameraPoseLifting
    settings: Mapping[str, Any]
    num_frames: int
    num_targets: int
    usual_batch_size: int

    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift windows.

        Args:
            inputs (np.ndarray): Encoded windows, (B, T, 17, C).
            flip_indices (Sequence[int], optional): Each keypoint's partner on the other
                side, to average with the mirror image.

        Returns:
            np.ndarray: Encoded poses, (B, T', 17, 3).
        """


def open_network(
    model: str | Path | None,
    checkpoint: str | Path | None,
    device: str = 'auto',
    keep: Keep | None = None,
    backend: str = 'auto',
) -> LiftingNetwork:
    """Open a lifter with the back end that runs it; see :class:`mmhot.Lifter`."""
    name = SCHEME + DEFAULT_LIFTER if model is None and checkpoint is None else model
    # the frames that are kept are constants of a file
    kept = None
    if keep is not None and checkpoint is None:
        shipped = shipped_graph(str(name), _TASKS)
        kept = shipped and graph_with_keep(shipped, np.atleast_1d(keep))
        kept = kept if kept and kept.is_file() else None
    prefers_torch = keep is not None and kept is None
    graph = find_graph(name, _TASKS, checkpoint, device, backend, prefers_torch)
    if graph is not None:
        return OnnxNetwork(kept or graph, device, keep)
    module = import_module('mmhot.lifting.torch_network')
    return module.TorchNetwork(model, checkpoint, device, keep)


class OnnxNetwork:
    """A lifter of ``mmhot export``, run by ONNX Runtime.

    Args:
        path (Path): The .onnx file.
        device (str): 'auto', 'cpu' or 'cuda'.
        keep (Keep, optional): Must be what the file keeps, as it cannot be changed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no lifter of ``mmhot export``.
    """

    def __init__(
        self, path: Path, device: str = 'auto', keep: Keep | None = None
    ) -> None:
        # the layers are too small to be shared among threads
        self._session = open_session(path, device, threads=1)
        self._threads = count_threads() if is_on_cpu(self._session) else 1
        meta = read_meta(self._session, path)
        try:
            codec = dict(meta['codec'])
            self.codec = LIFTING_CODECS[codec.pop('type')](**codec)
            kept, self.settings = meta['keep'], meta['lifting']
            self.num_frames = self.settings['num_frames']
            self.num_targets = self.settings['num_targets']
            self.name = self.weights = meta['name']
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path} is no lifter of this version of mmhot: export it again with '
                'mmhot export'
            ) from error
        if keep is not None and [*np.atleast_1d(keep)] != kept:
            raise ValueError(
                f'keep={keep} needs PyTorch, or an export with --keep: {path} keeps '
                f'{kept or "all frames"}'
            )
        if kept:
            counts = ', then '.join(map(str, kept))
            self.name += f' ({counts} of {self.num_frames} frames)'
        # activations of a single window of video lifters fill a core's caches
        is_video = self.num_targets == self.num_frames
        self.usual_batch_size = self._threads if is_video else USUAL_BATCH_SIZE
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        self.identity = hashlib.sha256(Path(path).read_bytes()).hexdigest()

    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift windows; see :class:`LiftingNetwork`."""
        if flip_indices is None:
            return self._run(inputs)
        both = np.concatenate([inputs, mirror_poses(inputs, flip_indices)])
        poses, mirrored = np.split(self._run(both), 2)
        return (poses + mirror_poses(mirrored, flip_indices)) / 2

    def _run(self, inputs: np.ndarray) -> np.ndarray:
        """Lift windows (B, T, 17, C), a part of them on each thread."""
        count = min(self._threads, len(inputs))
        if count < 2:
            return self._run_part(inputs)
        parts = np.array_split(inputs, count)
        with ThreadPoolExecutor(count) as pool:
            return np.concatenate([*pool.map(self._run_part, parts)])

    def _run_part(self, inputs: np.ndarray) -> np.ndarray:
        return self._session.run(['poses'], {self._input: inputs})[0]
