"""Losses of GTPT."""

from mmpose.models.losses import KLDiscretLoss
from mmpose.registry import MODELS
from torch import Tensor, nn

SimCC = tuple[Tensor, Tensor]
# of a label's mass: less means that its keypoint is in patches that were pruned
_LEAST_FOUND = 0.1


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


@MODELS.register_module()
class PatchGuidanceLoss(nn.Module):
    """Keypoint tokens should attend to the patch that their keypoint is in.

    Not of the paper: with few epochs it saves keypoint tokens the search for what in
    the picture is theirs, and shows the pruning what to keep. The logits of all heads
    add up to one product of query and key; a softmax over the patches left is compared
    with where the labels are, by cross-entropy. The flat label of a keypoint that is
    not in the picture (``absent_weight`` of :class:`GTPTLabel`) has its token attend to
    all patches alike.

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
            kept (Tensor): Which patches these are, row by row, (B, n).
            targets (tuple[Tensor, Tensor]): Densities of x (B, J, Wx) and y (B, J, Wy).
            weights (Tensor): Weights of the keypoints, (B, J).
            grid (tuple[int, int]): Columns and rows of patches.

        Returns:
            Tensor: The loss, a mean over the keypoints that count and that a patch is
            left of.
        """
        x, y = (
            target.unflatten(-1, (length, -1)).sum(-1)
            for target, length in zip(targets, grid, strict=True)
        )
        places = (y.unsqueeze(-1) * x.unsqueeze(-2)).flatten(
            2
        )  # (B, J, rows * columns)
        places = places.gather(2, kept.unsqueeze(1).expand(-1, places.shape[1], -1))
        found = places.sum(-1)
        counts = weights * (found > _LEAST_FOUND)
        places = places / found.clamp(min=_LEAST_FOUND).unsqueeze(-1)
        entropy = -(places * logits.float().sum(2).log_softmax(-1)).sum(-1)
        return self.weight * (counts * entropy).sum() / counts.sum().clamp(min=1)
