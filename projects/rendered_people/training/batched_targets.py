"""RTMDet's targets of one class, assigned to a batch at once.

MMDetection assigns them image by image, person by person, and waits for the GPU each
time, which takes most of the time of a small model's training step.
"""

import torch
from mmdet.models.dense_heads import RTMDetSepBNHead
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pad_sequence

_EPS = 1e-7
_CHUNK = 32  # images assigned together, as costs are (images, priors, people)


@MODELS.register_module()
class BatchedTargetsHead(RTMDetSepBNHead):
    """RTMDet's head of one class, which assigns the targets of a batch at once.

    They equal those of ``DynamicSoftLabelAssigner``. All pixels count as inside of the
    image. Arguments and weights are those of ``RTMDetSepBNHead``.
    """

    def __init__(self, num_classes: int, *args, **kwargs) -> None:
        if num_classes != 1:
            raise ValueError(f'the head must have one class, got {num_classes}')
        super().__init__(num_classes, *args, **kwargs)

    def get_anchors(
        self,
        featmap_sizes: list[tuple],
        batch_img_metas: list[dict],
        device: torch.device | str = 'cuda',
    ) -> tuple[list, list]:
        """Return the priors of each image, all of which are valid."""
        priors = self.prior_generator.grid_priors(
            featmap_sizes, device=device, with_stride=True
        )
        return [priors] * len(batch_img_metas), []

    def get_targets(
        self,
        cls_scores: Tensor,
        bbox_preds: Tensor,
        anchor_list: list,
        valid_flag_list: list,
        batch_gt_instances: list,
        *args,
        **kwargs,
    ) -> tuple:
        """Assign people to priors, as MMDetection's method of the same name.

        Logits are (B, N, 1), predicted boxes x1, y1, x2, y2 (B, N, 4), priors of each
        image and level x, y and strides (n, 4), and each image has ``bboxes`` (G, 4).

        Returns:
            tuple: Priors, labels, their weights, boxes and overlaps per level, None.
        """
        levels = anchor_list[0]
        lengths = [len(level) for level in levels]
        truth = pad_sequence(
            [_corners(each.bboxes) for each in batch_gt_instances], batch_first=True
        )
        counts = [len(each.bboxes) for each in batch_gt_instances]
        exists = torch.arange(truth.shape[1]) < torch.tensor(counts)[:, None]
        exists = exists.to(truth.device, non_blocking=True)
        topk = self.assigner.topk
        parts = zip(
            bbox_preds.detach().float().split(_CHUNK),
            cls_scores.detach().float()[..., 0].split(_CHUNK),
            truth.split(_CHUNK),
            exists.split(_CHUNK),
            strict=True,
        )
        assigned = [_assign(self, torch.cat(levels), topk, *part) for part in parts]
        labels, boxes, overlaps = (
            torch.cat(parts).split(lengths, 1) for parts in zip(*assigned, strict=True)
        )
        weights = [torch.ones_like(level) for level in overlaps]
        return levels, labels, weights, boxes, overlaps, None


def _assign(
    head: nn.Module,
    priors: Tensor,
    topk: int,
    boxes: Tensor,
    logits: Tensor,
    truth: Tensor,
    exists: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels (B, N), boxes (B, N, 4) and overlaps (B, N) of priors (N, 4)."""
    if not truth.shape[1]:
        labels = torch.full_like(logits, head.num_classes, dtype=torch.long)
        return labels, torch.zeros_like(boxes), torch.zeros_like(logits)
    centers = priors[:, None, :2]
    inside = (centers > truth[:, None, :, :2]) & (centers < truth[:, None, :, 2:])
    inside = inside.all(-1) & exists[:, None]
    # a prior inside of any box may be assigned to all people
    valid = inside.any(-1, keepdim=True) & exists[:, None]
    overlap = _overlaps(boxes[:, :, None], truth[:, None]) * valid
    middle = (truth[:, None, :, :2] + truth[:, None, :, 2:]) / 2
    distance = (centers - middle).norm(dim=-1) / priors[:, 2, None]
    logits = logits[..., None].expand_as(overlap)
    cost = binary_cross_entropy_with_logits(logits, overlap, reduction='none')
    cost = cost * (overlap - logits.sigmoid()).square()
    cost = cost - head.assigner.iou_weight * (overlap + _EPS).log()
    cost = cost + 10 ** (distance - head.assigner.soft_center_radius)
    cost = torch.where(valid, cost, torch.inf)
    topk = min(topk, cost.shape[1])
    # the number of priors of a person is the sum of its best overlaps
    number = overlap.topk(topk, 1).values.sum(1).int().clamp(min=1)
    lowest, places = cost.topk(topk, 1, largest=False)
    ranks = torch.arange(topk, device=cost.device)[:, None]
    chosen = (ranks < number[:, None]) & lowest.isfinite()
    matched = torch.zeros_like(valid).scatter(1, places, chosen)
    # priors of several people take the cheapest of all
    several = matched.sum(-1, keepdim=True) > 1
    cheapest = cost.argmin(-1, keepdim=True)
    only = torch.zeros_like(matched).scatter(2, cheapest, True)
    matched = torch.where(several, only, matched)
    is_person = matched.any(-1)
    person = matched.int().argmax(-1, keepdim=True)
    target = truth.gather(1, person.expand(-1, -1, 4)) * is_person[..., None]
    labels = torch.where(is_person, 0, head.num_classes)
    return labels, target, overlap.gather(2, person)[..., 0] * is_person


def _corners(boxes: Tensor) -> Tensor:
    """Boxes (G, 4) as a plain tensor."""
    return getattr(boxes, 'tensor', boxes)


def _overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4)."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(-1) for each in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
