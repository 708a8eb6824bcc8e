"""Losses."""

from mmpose.models.losses import KLDiscretLoss
from mmpose.registry import MODELS
from torch import Tensor, nn

SimCC = tuple[Tensor, Tensor]


@MODELS.register_module()
class GTPTLoss(nn.Module):
    """GTPT's loss: labels for both passes, and the entire pass teaches the pruned one.

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
        sharpness = 1 / temperature
        self.to_labels = KLDiscretLoss()
        self.to_teacher = KLDiscretLoss(
            beta=sharpness, label_softmax=True, label_beta=sharpness
        )

    @property
    def needs_entire(self) -> bool:
        """Whether the pass with all tokens counts."""
        return bool(self.entire_weight or self.distill_weight)

    def forward(
        self, pruned: SimCC, entire: SimCC | None, targets: SimCC, weights: Tensor
    ) -> dict[str, Tensor]:
        """Compare both passes with the labels and with each other.

        Args:
            pruned (tuple[Tensor, Tensor]): Logits of the pass with pruning,
                (B, K, Wx) and (B, K, Wy).
            entire (tuple[Tensor, Tensor], optional): The same of the pass with all
                tokens; None unless :attr:`needs_entire`.
            targets (tuple[Tensor, Tensor]): The same of the labels, as densities.
            weights (Tensor): Weights of the keypoints, (B, K).

        Returns:
            dict[str, Tensor]: ``loss_pruned``; of an entire pass ``loss_entire`` and
            ``loss_distill`` too.
        """
        terms = {
            'pruned': self.pruned_weight * self.to_labels(pruned, targets, weights)
        }
        if self.needs_entire:
            teacher = tuple(logits.detach() for logits in entire)
            own = self.to_labels(entire, targets, weights)
            lesson = self.to_teacher(pruned, teacher, weights)
            terms['entire'] = self.entire_weight * own
            terms['distill'] = self.distill_weight * lesson
        return {f'loss_{name}': term / len(weights) for name, term in terms.items()}
