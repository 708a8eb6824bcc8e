"""Losses on sequences of 3D poses."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PoseSequenceLoss(nn.Module):
    """Position, scale-free position, velocity and smoothness, weighted.

    ``L = MPJPE_w + scale * N-MPJPE + velocity * MPJVE + smooth * TCL_w``, where ``_w``
    means weighted by joint:

    * MPJPE, the mean distance of joints,
    * N-MPJPE, the same after scaling each predicted frame to fit best,
    * MPJVE, the mean distance of the joints' velocities,
    * TCL, the mean square of predicted velocities (temporal consistency loss).

    MixSTE's loss has joint weights, velocity 2 and smoothness 0.5; MotionBERT's and
    MotionAGFormer's have scale 0.5 and velocity 20.

    Args:
        joint_weights (Sequence[float], optional): Weights of joints, (K,), or ones.
        scale_weight (float): Weight of N-MPJPE.
        min_scale (float): Least scale of N-MPJPE. As published it may be negative, so
            that poses reflected in the root fit as well as the true ones, and training
            may get stuck at poses of zero; 0 prevents it.
        velocity_weight (float): Weight of the velocity error.
        smooth_weight (float): Weight of the temporal consistency loss.
    """

    def __init__(
        self,
        joint_weights: Sequence[float] | None = None,
        scale_weight: float = 0.0,
        min_scale: float = -math.inf,
        velocity_weight: float = 0.0,
        smooth_weight: float = 0.0,
    ) -> None:
        super().__init__()
        weights = None if joint_weights is None else torch.tensor(joint_weights)
        self.register_buffer('joint_weights', weights, persistent=False)
        self.scale_weight = scale_weight
        self.min_scale = min_scale
        self.velocity_weight = velocity_weight
        self.smooth_weight = smooth_weight

    def forward(
        self, output: Tensor, target: Tensor, target_weight: Tensor | None = None
    ) -> Tensor:
        """Compare predicted with true poses; the loss is a scalar.

        Args:
            output (Tensor): Predicted poses, (B, T, K, 3).
            target (Tensor): Ground truth, (B, T, K, 3).
            target_weight (Tensor, optional): Zero where the ground truth is unknown,
                (B, T, K, 1). Velocities from or to an unknown pose do not count.

        Returns:
            Tensor: Loss, a scalar.

        Raises:
            ValueError: If ``joint_weights`` does not have one weight per joint.
        """
        valid = torch.ones_like(output[..., 0])
        if target_weight is not None:
            valid = target_weight.squeeze(-1)
        weights: Any = 1.0 if self.joint_weights is None else self.joint_weights
        num_keypoints = output.shape[-2]
        if self.joint_weights is not None and len(weights) != num_keypoints:
            raise ValueError(
                f'joint_weights must have one weight for each of the {num_keypoints} '
                f'joints, got {len(weights)} weights'
            )
        error = (output - target).norm(dim=-1)  # (B, T, K)
        loss = _mean(weights * error, valid)
        if self.scale_weight:
            error = (output * self._scale(output, target) - target).norm(dim=-1)
            loss = loss + self.scale_weight * _mean(error, valid)
        if self.velocity_weight or self.smooth_weight:
            both = valid[:, 1:] * valid[:, :-1]
            velocity = output.diff(dim=1)  # (B, T - 1, K, 3)
            error = (velocity - target.diff(dim=1)).norm(dim=-1)
            loss = loss + self.velocity_weight * _mean(error, both)
            square = velocity.square().mean(-1)
            loss = loss + self.smooth_weight * _mean(weights * square, both)
        return loss

    def _scale(self, output: Tensor, target: Tensor) -> Tensor:
        """Fit the scale (B, T, 1, 1) of poses (B, T, K, 3) by least squares."""
        fit = (output * target).sum((-2, -1), keepdim=True)
        size = output.square().sum((-2, -1), keepdim=True)
        scale = fit / size.clamp(min=torch.finfo(output.dtype).tiny)
        return scale.clamp(min=self.min_scale)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    """Average values (B, T, K) where a mask (B, T, K) is one."""
    return (values * valid).sum() / valid.sum().clamp(min=1)
