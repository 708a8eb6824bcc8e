"""Losses of GTPT."""

from mmpose.models.losses import KLDiscretLoss
from mmpose.registry import MODELS
from torch import Tensor, nn

SimCC = tuple[Tensor, Tensor]


@MODELS.register_module()
class GTPTLoss(nn.Module):
    """Compare both passes with the labels, and the pruned with the entire pass.

    From *Group-based Token Pruning Transformer for Efficient Human Pose Estimation*
    (https://arxiv.org/abs/2407.10756), which calls the sum its Global Perceived loss.
    With weights a, b, c and temperature tau it is ``a KL(labels, pruned) + b KL(labels,
    entire) + c tau ** 2 KL(entire / tau, pruned / tau)``, without a gradient to the
    entire pass in the last term. Each divergence is the mean over bins, batch and
    keypoints, summed over the two axes. MMPose's :class:`KLDiscretLoss` sums over the
    batch.

    Args:
        pruned_weight (float): Weight of the pruned pass against the labels.
        entire_weight (float): Weight of the entire pass against the labels.
        distill_weight (float): Weight of the pruned pass against the entire one.
        temperature (float): Temperature of both passes in the last term. The term is
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
        """Compute the terms: ``loss_pruned``, and ``loss_entire`` and ``loss_distill``.

        Logits of a pass, and densities of the labels, are (B, K, Wx) and (B, K, Wy),
        weights of keypoints (B, K). ``entire`` is None unless :attr:`needs_entire`.
        """
        batch_size = len(weights)
        loss = self.pruned_weight * self.to_labels(pruned, targets, weights)
        losses = {'loss_pruned': loss / batch_size}
        if entire is not None:
            teacher = tuple(logits.detach() for logits in entire)
            loss = self.entire_weight * self.to_labels(entire, targets, weights)
            losses['loss_entire'] = loss / batch_size
            loss = self.distill_weight * self.to_teacher(pruned, teacher, weights)
            losses['loss_distill'] = loss / batch_size
        return losses
