"""Patches of an image that each layer of a GTPT keeps."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor

from mmhot.models.gtpt.head import GTPTHead
from mmhot.visualization.pruning import PruningStage, PruningTrace


@torch.no_grad()
def trace_pruning(
    model: TopdownPoseEstimator,
    image: np.ndarray,
    bbox: Sequence[float] | None = None,
    keep_rates: Sequence[float] | None = None,
) -> PruningTrace:
    """Run a GTPT on one person and record the patches that each layer keeps.

    Args:
        model (TopdownPoseEstimator): Model of ``mmpose.apis.init_model`` with a
            GTPTHead.
        image (np.ndarray): BGR, (H, W, 3) uint8.
        bbox (Sequence[float], optional): Bounding box of the person: left, top, right,
            bottom. By default the whole image.
        keep_rates (Sequence[float], optional): Keep rates instead of the model's.

    Returns:
        PruningTrace: For :func:`mmhot.visualization.pruning.draw_pruning`.
    """
    head = model.head
    if not isinstance(head, GTPTHead):
        raise ValueError(f'model must have a GTPTHead, got a {type(head).__name__}')
    rows, columns = image.shape[:2]
    bbox = np.array([bbox or (0, 0, columns, rows)], np.float32)
    with DefaultScope.overwrite_default_scope('mmpose'):
        pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    sample = dict(img=image, bbox=bbox, bbox_score=np.ones(1, np.float32))
    packed = pipeline({**sample, **model.dataset_meta})
    crop = packed['inputs'].permute(1, 2, 0).numpy()
    batch = model.data_preprocessor(pseudo_collate([packed]), False)
    patches = head.embed(model.extract_feat(batch['inputs'])[-1])
    counts = head.count_tokens(keep_rates or head.keep_rates)
    tokens, kept = head.encode(patches, counts)
    probabilities = (x.softmax(-1).cpu().numpy() for x in head.classify(tokens))
    keypoints, _ = head.decoder.decode(*probabilities)
    return PruningTrace(
        crop=crop,
        grid=_grid(head),
        stages=_stages(kept),
        groups=tuple(
            ', '.join(names).replace('_', ' ') for names in head.groups.groups
        ),
        keypoints=keypoints[0],
        group_of=head.groups.home_group.cpu().numpy(),
    )


def _grid(head: GTPTHead) -> tuple[int, int]:
    """Return the number of columns and rows of patches."""
    sizes = zip(head.in_featuremap_size, head.patch_embed.patch_size, strict=True)
    columns, rows = (length // step for length, step in sizes)
    return columns, rows


def _stages(kept: Sequence[Tensor]) -> tuple[PruningStage, ...]:
    """Merge consecutive layers that keep the same patches of the first image."""
    stages = []
    for layer, patches in enumerate(kept):
        patches, first = patches[0].cpu().numpy(), layer
        if stages and np.array_equal(stages[-1].kept, patches):
            first = stages.pop().first
        stages.append(PruningStage(first, layer, patches))
    return tuple(stages)
