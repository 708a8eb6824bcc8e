"""Networks of lifters that PyTorch runs."""

import logging
import os
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

import mmhot.plugin  # noqa: F401 registers components
from mmhot.chain.lifting.networks import USUAL_BATCH_SIZE, Keep
from mmhot.compat.installation import choose_device
from mmhot.deploy.captured_graphs import CapturedGraphs, Network
from mmhot.deploy.half_precision import half_precision, move_to_device
from mmhot.errors import ArgumentError, escape
from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.models.lifters.estimator import SequencePoseLifter
from mmhot.models.lifters.host import Host
from mmhot.weights.load_lifter import lifter_skeleton, load_lifter
from mmhot.weights.loading import fingerprint
from mmhot.weights.names import Model

_LOGGER = logging.getLogger(__name__)

# Activations between two layers of a video lifter that fit into a CPU's caches. In
# batches of four to eight, MotionBERT with 256 channels takes 1.4 to 1.8 times as long
# per window as alone.
_CACHED_VALUES = 1_000_000


class TorchNetwork:
    """A lifter that PyTorch runs.

    Args:
        files (Model): Files of the model, see :func:`mmhot.weights.names.resolve`.
        device (str): See :class:`mmhot.Lifter`.
        keep (Keep, optional): See :class:`mmhot.Lifter`.

    Attributes:
        model (nn.Module): MMPose's model.
        config (Config): The config that it was built from.
        title (str): Name without the number of kept frames.
    """

    def __init__(
        self,
        files: Model,
        device: str = 'auto',
        keep: Keep | None = None,
    ) -> None:
        self._device = choose_device(device)
        self.title, self.weights, config, self.model = load_lifter(files)
        self.name = self.title
        self.config = config
        self.codec = self.model.head.decoder
        self.settings = config.get('lifting', {})
        self.skeleton = lifter_skeleton(config)
        self.num_frames = self.model.backbone.num_frames
        self.num_targets = self.model.backbone.num_keep_frames
        self._set_keep(keep)
        # The weights are fingerprinted as trained; the name has the kept frames.
        self.identity = fingerprint(self.model, self.name)
        move_to_device(self.model, self._device)
        self._is_on_gpu = torch.device(self._device).type == 'cuda'
        self.usual_batch_size = USUAL_BATCH_SIZE
        backbone = self.model.backbone
        if not self._is_on_gpu and isinstance(backbone, Host):
            values = self.num_frames * backbone.values_per_frame
            self.usual_batch_size = max(1, _CACHED_VALUES // values)
        self._process = os.getpid()
        self._networks: dict[tuple[int, ...] | None, Network] = {}

    def _set_keep(self, keep: Keep | None) -> None:
        """Set the number of kept frames, and append it to the name.

        Raises:
            ArgumentError: If it is given for a model without a pruner.
            ValueError: If it does not fit the pruners.
        """
        backbone = self.model.backbone
        if not isinstance(backbone, Host) or not backbone.hourglass.pruners:
            if keep is not None:
                raise ArgumentError(
                    '{keep=%r} needs a model with a pruner: %s has none',
                    keep,
                    self.name,
                )
            return
        count = backbone.hourglass.keep_counts
        trained = count(self.model.test_cfg.get('keep'), self.num_frames)
        counts = trained if keep is None else count(keep, self.num_frames)
        if counts != trained:
            _LOGGER.warning(
                '%s was trained to keep %s frames, not %s: expect larger errors',
                escape(self.name),
                trained,
                counts,
            )
        self.model.test_cfg['keep'] = counts
        kept = ', then '.join(map(str, counts))
        self.name += f' ({kept} of {self.num_frames} frames)'

    @torch.inference_mode()
    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift windows; see :class:`mmhot.chain.lifting.networks.LiftingNetwork`."""
        if os.getpid() != self._process:
            # A fork does not have its parent's threads, and would wait for them.
            torch.set_num_threads(1)
            self._process = os.getpid()
        flips = None if flip_indices is None else tuple(flip_indices)
        if flips not in self._networks:
            lift = partial(self._lift, flip_indices=flips)
            self._networks[flips] = CapturedGraphs(lift) if self._is_on_gpu else lift
        windows = torch.from_numpy(np.asarray(inputs, np.float32)).to(self._device)
        return self._networks[flips](windows).float().cpu().numpy()

    def _lift(self, windows: Tensor, flip_indices: Sequence[int] | None) -> Tensor:
        """Lift windows (B, T, K, C) to encoded poses (B, T', K, 3) on the device."""
        with half_precision(self._device):
            if isinstance(self.model, SequencePoseLifter):
                return self.model.lift(windows, flip_indices)
            coords = self.model(windows, None, mode='tensor')
            if flip_indices is not None:
                mirrored = mirror_poses(windows, flip_indices)
                mirrored = self.model(mirrored, None, mode='tensor')
                coords = (coords + mirror_poses(mirrored, flip_indices)) / 2
            return coords
