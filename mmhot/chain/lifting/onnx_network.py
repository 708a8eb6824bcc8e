"""Lifters that ONNX Runtime runs."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mmhot.chain.lifting.networks import USUAL_BATCH_SIZE, Keep
from mmhot.codecs.pose_lifting import LIFTING_CODECS
from mmhot.deploy.onnx_sessions import (
    count_threads,
    is_on_cpu,
    open_session,
    read_meta,
    run_session,
)
from mmhot.errors import ArgumentError
from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.skeletons.joints import described_skeleton


class OnnxNetwork:
    """A lifter of ``mmhot export``, run by ONNX Runtime.

    Args:
        path (Path): The .onnx file.
        device (str): 'auto', 'cpu' or 'cuda'.
        keep (Keep, optional): Frames that each pruner keeps. A file cannot change them,
            so this must be what the file keeps.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a lifter of ``mmhot export``.
    """

    def __init__(self, path: Path, device: str, keep: Keep | None) -> None:
        # The layers are too small to be shared among threads; windows are shared.
        self._session = open_session(path, device, threads=1)
        self._threads = count_threads() if is_on_cpu(self._session) else 1
        meta = read_meta(self._session, path)
        try:
            codec = dict(meta['codec'])
            self.codec = LIFTING_CODECS[codec.pop('type')](**codec)
            num_keep = meta.get('keep')
            self.settings = meta['lifting']
            self.skeleton = described_skeleton(meta)
            self.num_frames = self.settings['num_frames']
            self.num_targets = self.settings['num_targets']
            self.name = meta['name']
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path} is not a lifter, or was exported by another version of mmhot: '
                'export it again with mmhot export'
            ) from error
        if keep is not None and [*np.atleast_1d(keep)] != num_keep:
            raise ArgumentError(
                '{keep=%r} needs PyTorch, or `mmhot export --keep`: %s keeps %s',
                keep,
                path,
                num_keep or 'all frames',
            )
        if num_keep:
            kept = ', then '.join(map(str, num_keep))
            self.name += f' ({kept} of {self.num_frames} frames)'
        # A single window of a video lifter fills the caches of a core.
        is_video = self.num_targets == self.num_frames
        self.usual_batch_size = self._threads if is_video else USUAL_BATCH_SIZE
        self.weights = path
        self.identity = hashlib.sha256(path.read_bytes()).hexdigest()

    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift windows; see :class:`mmhot.chain.lifting.networks.LiftingNetwork`."""
        if flip_indices is None:
            return self._run(inputs)
        both = np.concatenate([inputs, mirror_poses(inputs, flip_indices)])
        poses, mirrored = np.split(self._run(both), 2)
        return (poses + mirror_poses(mirrored, flip_indices)) / 2

    def _run(self, inputs: np.ndarray) -> np.ndarray:
        """Lift windows (B, T, 17, C) to (B, T', 17, 3), a part of them per thread."""

        def run(part: np.ndarray) -> np.ndarray:
            return run_session(self._session, self.weights, part, ['poses'])[0]

        count = min(self._threads, len(inputs))
        if count < 2:
            return run(inputs)
        with ThreadPoolExecutor(count) as pool:
            return np.concatenate([*pool.map(run, np.array_split(inputs, count))])
