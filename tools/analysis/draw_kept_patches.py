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
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor

import mmhot
from mmhot.chain.pose2d.mmpose_models import load_pose_model
from mmhot.chain.visualization import drawing
from mmhot.cli.errors import output_file, print_line, run_tool
from mmhot.io.images import read_image, write_png
from mmhot.models.gtpt.head import GTPTHead
from mmhot.weights.names import POSE, resolve

# BGR of the head, the upper and the lower body, and of one more group; further groups
# repeat them.
_GROUPS = ((255, 170, 82), (112, 214, 66), (48, 140, 255), (214, 96, 190))
_COARSE = (226, 222, 218)  # patches before keypoints are grouped


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
    write_png(args.target, draw_pruning(trace))
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


def draw_pruning(trace: PruningTrace, zoom: float = 1.5) -> np.ndarray:
    """Draw one column per stage and one row per group, BGR, uint8 (H, W, 3).

    Pruned patches are dark, kept ones are outlined. Keypoints are the final prediction.
    """
    size = [round(length * zoom) for length in trace.crop.shape[1::-1]]
    crop = cv2.resize(trace.crop, size, interpolation=cv2.INTER_CUBIC)
    width, height = size
    gap = max(3, height // 40)
    font = max(9, height // 22)
    header = round(3.4 * font)
    title = round(1.6 * font)
    pitch = title + height + gap
    rows = len(trace.groups)
    shape = (header + rows * pitch, gap + len(trace.stages) * (width + gap), 3)
    image = np.full(shape, drawing.BACKGROUND, np.uint8)
    for column, stage in enumerate(trace.stages):
        x = gap + column * (width + gap)
        _write_header(image, trace, stage, (x, font), font)
        if stage.kept.ndim == 1:  # no groups yet: the panel is in the middle
            y = header + title + (rows - 1) * pitch // 2
            panel = _draw_panel(crop, trace, stage.kept, None, zoom)
            image[y : y + height, x : x + width] = panel
            continue
        for group, kept in enumerate(stage.kept):
            y = header + group * pitch + title
            corner = (x, y - title // 2)
            drawing.draw_text(image, trace.groups[group], corner, round(0.85 * font))
            panel = _draw_panel(crop, trace, kept, group, zoom)
            image[y : y + height, x : x + width] = panel
    return image


def _write_header(
    image: np.ndarray,
    trace: PruningTrace,
    stage: PruningStage,
    corner: tuple[int, int],
    font: int,
) -> None:
    """Write the layers and kept patches of a stage on an image (H, W, 3).

    The upper left corner of the text is a pixel (x, y).
    """
    x, y = corner
    layers = f'layers {stage.first + 1} to {stage.last + 1}'
    if stage.first == stage.last:
        layers = f'layer {stage.first + 1}'
    drawing.draw_text(image, layers, (x, y), font)
    counts = (np.atleast_2d(stage.kept) >= 0).sum(-1).tolist()
    each = ''
    if len(set(counts)) == 1:
        each = ' each' if stage.kept.ndim == 2 else ''
        counts = counts[:1]
    columns, rows = trace.grid
    text = f'{", ".join(map(str, counts))} of {columns * rows} patches{each}'
    small = round(0.8 * font)
    drawing.draw_text(image, text, (x, y + 1.3 * font), small, drawing.FAINT_TEXT)


def _draw_panel(
    crop: np.ndarray,
    trace: PruningTrace,
    kept: np.ndarray,
    group: int | None,
    zoom: float,
) -> np.ndarray:
    """Draw a crop (H, W, 3) with kept patches (N,), and the keypoints of a group."""
    columns, rows = trace.grid
    alive = np.zeros(columns * rows, np.uint8)
    alive[kept[kept >= 0]] = 1
    mask = cv2.resize(
        alive.reshape(rows, columns), crop.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    gray = crop.mean(-1, keepdims=True)
    panel = np.where(mask[..., None] > 0, crop, 0.22 * gray + 0.03 * crop)
    panel = panel.astype(np.uint8)
    color = _COARSE if group is None else _GROUPS[group % len(_GROUPS)]
    if not alive.all():
        edges, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(panel, edges, -1, color, 1)
    if group is not None:
        points = trace.keypoints[trace.group_of == group] * zoom
        radius = max(1.2, panel.shape[0] / (110 if len(points) < 30 else 220))
        points = np.rint(points[np.isfinite(points).all(-1)] * 16).astype(int)
        for x, y in points.tolist():
            for grow, fill in ((1.5, (24, 18, 15)), (1.0, color)):
                size = round(grow * radius * 16)
                cv2.circle(panel, (x, y), size, fill, -1, cv2.LINE_AA, 4)
    return panel


if __name__ == '__main__':
    run_tool(add_arguments, main)
