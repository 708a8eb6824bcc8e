"""Codec of GTPT: SimCC labels.

`Group-based Token Pruning Transformer for Efficient Human Pose Estimation
<https://arxiv.org/abs/2407.10756>`_ (ECCV 2024).
"""

import math
from collections.abc import Sequence

import numpy as np
from mmpose.codecs import SimCCLabel
from mmpose.registry import KEYPOINT_CODECS
from mmpose.utils.tensor_utils import to_numpy
from torch import Tensor

from mmhot.geometry.crops import find_peaks


@KEYPOINT_CODECS.register_module()
class GTPTLabel(SimCCLabel):
    """Encode keypoints as SimCC labels: a normal density over bins for each axis.

    The mean of a density is the joint's exact position, not the nearest bin. Joints
    outside of the crop have labels within a margin of ``3 * sigma`` pixels, as in the
    released code, although ``sigma`` counts bins elsewhere. Near the border densities
    sum to less than one. The score of a decoded keypoint is the highest probability on
    the axis where that is smaller.

    Args:
        input_size (tuple[int, int]): Width and height of the crop.
        sigma (float): Standard deviation of the labels, in bins.
        simcc_split_ratio (float): Bins per pixel.
        absent_weight (float): Weight of absent keypoints. Their labels are flat, which
            teaches low confidence. Keypoints are absent beyond the margin, and with
            the visibility -1, outside of the image (0 is unknown). Defaults to 0, as
            published: absent keypoints do not count.
        smoothing (float): Standard deviation, in bins, of a Gaussian that smooths
            probabilities before decoding, so that positions lie between bins; see
            :func:`mmhot.geometry.crops.find_peaks`. Defaults to 0, as published:
            positions are the bins with the highest probability.
    """

    support_batch_decoding = True

    def __init__(
        self,
        input_size: tuple[int, int],
        sigma: float = 4.0,
        simcc_split_ratio: float = 2.0,
        absent_weight: float = 0.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            tuple(input_size), sigma=sigma, simcc_split_ratio=simcc_split_ratio
        )
        self.margin = 3 * sigma
        self.absent_weight = absent_weight
        self.smoothing = smoothing

    @property
    def peak(self) -> float:
        """Largest value of a label, which is the score of a perfect prediction."""
        return 1 / (float(self.sigma[0]) * math.sqrt(2 * math.pi))

    @property
    def num_bins(self) -> tuple[int, int]:
        """Number of bins of the axes x and y."""
        width, height = self.input_size
        ratio = self.simcc_split_ratio
        return round(width * ratio), round(height * ratio)

    def calibrate(
        self,
        scores: np.ndarray,
        curve: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> np.ndarray:
        """Divide scores by :attr:`peak`, or convert them to confidences.

        Args:
            scores (np.ndarray): Scores, (...).
            curve (tuple, optional): Divided scores and the confidences that they stand
                for, two rising sequences from 0 to 1, interpolated linearly. By default
                scores are only divided. They are above 1 where a prediction is sharper
                than a label, which keeps their order for COCO's AP.

        Returns:
            np.ndarray: Scores or confidences, (...), float32.
        """
        scores = (scores / self.peak).astype(np.float32)
        return np.interp(scores, *curve).astype(np.float32) if curve else scores

    def decode(
        self, simcc_x: np.ndarray, simcc_y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode probabilities to pixels of the crop.

        Args:
            simcc_x (np.ndarray): Probabilities of x, (K, Wx) or, of N people,
                (N, K, Wx).
            simcc_y (np.ndarray): Probabilities of y, (K, Wy) or (N, K, Wy).

        Returns:
            tuple[np.ndarray, np.ndarray]: Pixels, (N, K, 2), and scores, (N, K), with
            N = 1 for a single person.
        """
        if not self.smoothing:
            return super().decode(simcc_x, simcc_y)
        axes = [axis.reshape(-1, *axis.shape[-2:]) for axis in (simcc_x, simcc_y)]
        peaks = np.stack([find_peaks(axis, self.smoothing) for axis in axes], -1)
        scores = np.minimum(*(axis.max(-1) for axis in axes))
        return (peaks / self.simcc_split_ratio).astype(np.float32), scores

    def batch_decode(
        self, simcc_x: Tensor, simcc_y: Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode (B, K, Wx) and (B, K, Wy) to pixels (B, 1, K, 2), scores (B, 1, K)."""
        keypoints, scores = self.decode(*to_numpy((simcc_x, simcc_y)))
        return keypoints[:, None], scores[:, None]

    def _generate_gaussian(
        self, keypoints: np.ndarray, keypoints_visible: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Make labels (N, K, Wx) and (N, K, Wy), and weights (N, K)."""
        # Labels count if the margin around a joint meets the crop. Its ends are rounded
        # towards zero, to whole pixels, as in the released code.
        low = np.trunc(keypoints - self.margin)
        high = np.trunc(keypoints + self.margin + 1)
        is_near = ((low < self.input_size) & (high >= 0)).all(axis=-1)
        weights = np.where(is_near, keypoints_visible, 0).astype(np.float32)
        is_used = (weights >= 0.5)[..., None]
        # Absent keypoints that count have a uniform density.
        flat = self.absent_weight > 0
        labels = [
            np.where(is_used, self._density(keypoints[..., axis], bins), flat / bins)
            for axis, bins in enumerate(self.num_bins)
        ]
        is_absent = (keypoints_visible < 0) | (~is_near & (keypoints_visible > 0))
        weights[is_absent] = self.absent_weight
        return labels[0], labels[1], weights

    def _density(self, positions: np.ndarray, bins: int) -> np.ndarray:
        """Compute the normal density (..., bins) around positions (...) in pixels."""
        means = positions[..., None] * self.simcc_split_ratio
        distance = np.arange(bins, dtype=np.float32) - means
        exponent = distance**2 * (-0.5 / self.sigma[0] ** 2)
        return np.exp(exponent.astype(np.float32)) * np.float32(self.peak)
