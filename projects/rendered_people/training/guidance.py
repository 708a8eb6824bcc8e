"""Loss that guides the attention of GTPT's keypoint tokens."""

from mmpose.registry import MODELS
from torch import Tensor, nn

SimCC = tuple[Tensor, Tensor]
# Share of a label's mass; below it the patches of its keypoint count as pruned.
_MIN_MASS = 0.1


@MODELS.register_module()
class PatchGuidanceLoss(nn.Module):
    """Guide the attention of keypoint tokens to the patches of their keypoints.

    Not in the paper: with few epochs it spares keypoint tokens the search for their
    place in the image, and shows the pruning what to keep. The logits are summed over
    heads; their softmax over the remaining patches is compared with the labels by
    cross-entropy. The flat label of a keypoint outside the image (``absent_weight`` of
    :class:`mmhot.codecs.gtpt_label.GTPTLabel`) asks for equal attention to all patches.

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
