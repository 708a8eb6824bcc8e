"""Draw the patches of an image that a GTPT keeps, by layer and keypoint group.

Each column is a range of layers, each row a group of keypoints. Example::

    python -m tools.analysis.draw_kept_patches person.jpg kept.png --bbox 40 10 200 380
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor

import mmhot
from mmhot.chain.pose2d.mmpose_models import load_pose_model
from mmhot.cli.errors import output_file, print_line, run_tool
from mmhot.io.atomic import replacing
from mmhot.io.images import read_image
from mmhot.models.gtpt.head import GTPTHead
from mmhot.weights.names import POSE, resolve


@dataclass(frozen=True)
class PruningStage:
    """Consecutive layers that keep the same patches."""

    first: int
    last: int
    # Indices of kept patches, (N,) before keypoints are grouped and (G, N) after;
    # padded with -1.
    kept: np.ndarray


@dataclass(frozen=True)
class PruningTrace:
    """Kept patches and predicted keypoints of one crop."""

    crop: np.ndarray  # the input image, BGR, uint8 (H, W, 3)
    grid: tuple[int, int]  # columns and rows of patches
    stages: tuple[PruningStage, ...]
    groups: tuple[str, ...]  # names of the groups
    keypoints: np.ndarray  # predicted keypoints in pixels of the crop, (K, 2)
    group_of: np.ndarray  # index of the group of each keypoint, (K,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('image', type=Path, help='image of a person')
    parser.add_argument('target', type=output_file, help='.png file to write')
    parser.add_argument(
        '--model', default='gtpt-t', help='config or name of a GTPT (default: gtpt-t)'
    )
    parser.add_argument('--checkpoint', type=Path, help='its weights')
    parser.add_argument(
        '--bbox',
        type=float,
        nargs=4,
        metavar=('LEFT', 'TOP', 'RIGHT', 'BOTTOM'),
        help='box of the person in pixels (default: of the largest one that is found)',
    )


def main(args: argparse.Namespace) -> None:
    """Draw and write the image."""
    image = read_image(args.image)
    found = resolve(args.model, POSE, args.checkpoint)
    if not found.weights:
        raise ValueError(f'{args.model} is a config without weights: add --checkpoint')
    model, model.dataset_meta, _ = load_pose_model(found)
    trace = trace_pruning(model, image, args.bbox or find_person(args.image))
    draw_pruning(trace, args.target)
    print_line(
        f'{args.target}: {len(trace.stages)} stages of {len(trace.groups)} groups'
    )


def find_person(image: Path) -> list[float]:
    """Return the box around the keypoints of the largest person of an image."""
    points = mmhot.infer(image).keypoints_2d  # (N, K, 2)
    low = np.nanmin(points, axis=1)
    high = np.nanmax(points, axis=1)
    largest = (high - low).prod(axis=1).argmax()
    return [*low[largest].tolist(), *high[largest].tolist()]


@torch.no_grad()
def trace_pruning(
    model: TopdownPoseEstimator, image: np.ndarray, bbox: Sequence[float]
) -> PruningTrace:
    """Run a GTPT on one person and record the patches that each layer keeps.

    Args:
        model (TopdownPoseEstimator): A GTPT of :func:`load_pose_model`.
        image (np.ndarray): BGR, (H, W, 3) uint8.
        bbox (Sequence[float]): Box of the person: left, top, right, bottom.
    """
    head = model.head
    if not isinstance(head, GTPTHead):
        raise ValueError(f'the model must have a GTPTHead, got {type(head).__name__}')
    box = np.array([bbox], np.float32)
    with DefaultScope.overwrite_default_scope('mmpose'):
        pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    sample = dict(img=image, bbox=box, bbox_score=np.ones(1, np.float32))
    packed = pipeline({**sample, **model.dataset_meta})
    crop = packed['inputs'].permute(1, 2, 0).numpy()
    batch = model.data_preprocessor(pseudo_collate([packed]), False)
    patches = head.embed(model.extract_feat(batch['inputs'])[-1])
    tokens, kept = head.network.encode(patches, head.counts)
    probabilities = (x.softmax(-1).cpu().numpy() for x in head.classify(tokens))
    assert head.decoder is not None  # configs of models have one
    keypoints, _ = head.decoder.decode(*probabilities)
    sizes = zip(head.in_featuremap_size, head.patch_embed.patch_size, strict=True)
    across, down = (length // step for length, step in sizes)
    groups = (', '.join(names).replace('_', ' ') for names in head.groups.groups)
    return PruningTrace(
        crop=crop,
        grid=(across, down),
        stages=_stages(kept),
        groups=tuple(groups),
        keypoints=keypoints[0],
        group_of=head.groups.group_of_keypoint.cpu().numpy(),
    )


def _stages(kept: Sequence[Tensor]) -> tuple[PruningStage, ...]:
    """Merge consecutive layers that keep the same patches, (B, N) or (B, G, N).

    Only the first image of the batch counts.
    """
    stages: list[PruningStage] = []
    for layer, patches in enumerate(kept):
        first = layer
        of_image = patches[0].cpu().numpy()
        if stages and np.array_equal(stages[-1].kept, of_image):
            first = stages.pop().first
        stages.append(PruningStage(first, layer, of_image))
    return tuple(stages)


def draw_pruning(trace: PruningTrace, target: Path) -> None:
    """Draw one column per stage and one row per group to a .png file.

    Keypoints are the final prediction.
    """
    shape = len(trace.groups), len(trace.stages)
    figure = Figure(figsize=(2 * shape[1], 3.2 * shape[0]), layout='constrained')
    panels = figure.subplots(*shape, squeeze=False)
    for column, stage in zip(panels.T, trace.stages, strict=True):
        for panel in column:
            panel.set_axis_off()
        for group, kept in enumerate(np.atleast_2d(stage.kept)):
            panel = column[group]
            panel.imshow(shade(trace, kept)[..., ::-1])
            title = f'layers {stage.first + 1} to {stage.last + 1}'
            if stage.kept.ndim == 2:  # keypoints have groups
                title = f'{title}: {trace.groups[group]}'
                points = trace.keypoints[trace.group_of == group]
                panel.plot(*points.T, '.')
            title = f'{title}\n{(kept >= 0).sum()} of {np.prod(trace.grid)} patches'
            panel.set_title(title, fontsize=7)
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png', dpi=150)


def shade(trace: PruningTrace, kept: np.ndarray) -> np.ndarray:
    """Darken the patches of a crop that are not among kept ones (N,)."""
    columns, rows = trace.grid
    is_kept = np.zeros(columns * rows, np.uint8)
    is_kept[kept[kept >= 0]] = 1
    size = trace.crop.shape[1::-1]
    mask = cv2.resize(
        is_kept.reshape(rows, columns), size, interpolation=cv2.INTER_NEAREST
    )
    gray = 0.25 * trace.crop.mean(-1, keepdims=True)
    return np.where(mask[..., None] > 0, trace.crop, gray).astype(np.uint8)


if __name__ == '__main__':
    run_tool(add_arguments, main)
