"""Losses of GTPT."""

from mmpose.models.losses import KLDiscretLoss
from mmpose.registry import MODELS
from torch import Tensor, nn

SimCC = tuple[Tensor, Tensor]
# Share of a label's mass; below it the patches of its keypoint count as pruned.
_MIN_MASS = 0.1


@MODELS.register_module()
class GTPTLoss(nn.Module):
    """Compare both passes with the labels, and the pruned with the entire pass.

    From *Group-based Token Pruning Transformer for Efficient Human Pose Estimation*
    (https://arxiv.org/abs/2407.10756), which calls the sum its Global Perceived loss.
    Each term is a Kullback-Leibler divergence: the mean over bins, batch and
    keypoints, summed over the two axes. MMPose's :class:`KLDiscretLoss` sums over the
    batch.

    Args:
        pruned_weight (float): Weight of the pruned pass against the labels.
        entire_weight (float): Weight of the entire pass against the labels.
        distill_weight (float): Weight of the pruned pass against the entire one.
        temperature (float): Temperature of both passes in the last term, which is
            multiplied by its square.
    """

    def __init__(
        self,
        pruned_weight: float = 1.0,
        entire_weight: float = 1.0,
        distill_weight: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.pruned_weight = pruned_weight
        self.entire_weight = entire_weight
        self.distill_weight = distill_weight * temperature**2
        beta = 1 / temperature
        self.to_labels = KLDiscretLoss()
        self.to_teacher = KLDiscretLoss(beta=beta, label_softmax=True, label_beta=beta)

    @property
    def needs_entire(self) -> bool:
        """Whether the pass with all tokens counts."""
        return bool(self.entire_weight or self.distill_weight)

    def forward(
        self, pruned: SimCC, entire: SimCC | None, targets: SimCC, weights: Tensor
    ) -> dict[str, Tensor]:
        """Compute the terms.

        Args:
            pruned (tuple[Tensor, Tensor]): Logits of the pass with pruning,
                (B, K, Wx) and (B, K, Wy).
            entire (tuple[Tensor, Tensor], optional): Logits of the pass with all
                tokens; None unless :attr:`needs_entire`.
            targets (tuple[Tensor, Tensor]): Densities of the labels, same shapes.
            weights (Tensor): Weights of the keypoints, (B, K).

        Returns:
            dict[str, Tensor]: ``loss_pruned`` and, with an entire pass,
            ``loss_entire`` and ``loss_distill``.
        """
        batch_size = len(weights)
        loss = self.pruned_weight * self.to_labels(pruned, targets, weights)
        losses = {'loss_pruned': loss / batch_size}
        if self.needs_entire:
            teacher = tuple(logits.detach() for logits in entire)
            loss = self.entire_weight * self.to_labels(entire, targets, weights)
            losses['loss_entire'] = loss / batch_size
            loss = self.distill_weight * self.to_teacher(pruned, teacher, weights)
            losses['loss_distill'] = loss / batch_size
        return losses


@MODELS.register_module()
class PatchGuidanceLoss(nn.Module):
    """Guide the attention of keypoint tokens to the patches of their keypoints.

    Not in the paper: with few epochs it spares keypoint tokens the search for their
    place in the image, and shows the pruning what to keep. The logits are summed over
    heads; their softmax over the remaining patches is compared with the labels by
    cross-entropy. The flat label of a keypoint outside the image (``absent_weight`` of
    :class:`GTPTLabel`) asks for equal attention to all patches.

    Args:
        weight (float): Weight of the loss. Defaults to 1.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(
        self,
        logits: Tensor,
        kept: Tensor,
        targets: SimCC,
        weights: Tensor,
        grid: tuple[int, int],
    ) -> Tensor:
        """Compare attention with labels.

        Args:
            logits (Tensor): Logits of keypoint tokens and patches, (B, J, H, n).
            kept (Tensor): Indices of these patches, row by row, (B, n).
            targets (tuple[Tensor, Tensor]): Densities of x (B, J, Wx) and y (B, J, Wy).
            weights (Tensor): Weights of the keypoints, (B, J).
            grid (tuple[int, int]): Columns and rows of patches.

        Returns:
            Tensor: The loss, a mean over the keypoints that count and whose patches
            are not all pruned.
        """
        columns, rows = grid
        x = targets[0].unflatten(-1, (columns, -1)).sum(-1)  # (B, J, columns)
        y = targets[1].unflatten(-1, (rows, -1)).sum(-1)  # (B, J, rows)
        label = (y.unsqueeze(-1) * x.unsqueeze(-2)).flatten(2)
        label = label.gather(2, kept.unsqueeze(1).expand(-1, label.shape[1], -1))
        mass = label.sum(-1)
        counts = weights * (mass > _MIN_MASS)
        label = label / mass.clamp(min=_MIN_MASS).unsqueeze(-1)
        entropy = -(label * logits.float().sum(2).log_softmax(-1)).sum(-1)
        return self.weight * (counts * entropy).sum() / counts.sum().clamp(min=1)
