"""Draw the frames of a window that an hourglass lifter keeps.

Compares the model's pruner with other pruners at the same place: clusters of features,
uniform sampling, and the frames with most motion. Example::

    python -m tools.analysis.draw_kept_frames demo/skating_2d_coco17.npz kept.png
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from mmhot.io.images import write_png
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.lifting.lifter import Lifter
from mmhot.models.tokens.pruners import ClusterPruner, MotionPruner, UniformPruner
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D
from mmhot.visualization import drawing

_PRUNERS = {'clusters': ClusterPruner, 'uniform': UniformPruner, 'motion': MotionPruner}
_KEPT = drawing.LEFT
_CURVE = (112, 96, 84)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('clip', type=Path, help='2D keypoints')
    parser.add_argument('target', type=output_file, help='.png file to write')
    parser.add_argument(
        '--model', help='config or name of a lifter with a pruner (default: shipped)'
    )
    parser.add_argument('--checkpoint', type=Path, help='its weights')
    parser.add_argument(
        '--start', type=int, default=0, help='first frame of the window (default: 0)'
    )
    return parser.parse_args()


def draw(args: argparse.Namespace) -> None:
    """Draw one window of the first person."""
    lifter = Lifter(args.model, args.checkpoint, backend='torch')
    clip = read_keypoints(args.clip)
    keypoints, kept = trace_frames(lifter, clip, args.start)
    skeleton = get_skeleton('h36m-17')
    rig = drawing.skeleton_style(skeleton.joints, skeleton.parents)
    write_png(args.target, draw_kept_frames(keypoints, kept, rig, lifter.fps))
    for name, frames in kept.items():
        print_line(f'{name:<10}{len(frames):>4} of {len(keypoints)} frames')


@torch.no_grad()
def trace_frames(
    lifter: Lifter, clip: Clip2D, start: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run a lifter with a pruner on one window of a clip's first person.

    Args:
        lifter (Lifter): Its model has a pruner.
        clip (Clip2D): 2D keypoints.
        start (int): First frame of the window, at the model's frame rate. The clip's
            last frame is repeated after its end.

    Returns:
        tuple[np.ndarray, dict[str, np.ndarray]]: The window's 2D poses, pixels,
        (T, 17, 2), and the frames, from 0 to T - 1, that pruners keep at the place of
        the model's first one: 'clusters' (TPC), 'uniform' (TPS), 'motion' (TPMo) and,
        if the model's is another, 'model'.

    Raises:
        ValueError: If the model keeps all frames, or ``start`` is after the clip's end.
    """
    segment = lifter.prepare(clip)[0]
    times = clip.times_of(segment.frames)
    keypoints = lifter.sample(segment.keypoints, segment.scores, times)
    if not 0 <= start < len(keypoints):
        raise ValueError(f'start must be from 0 to {len(keypoints) - 1}, got {start}')
    frames = np.arange(start, start + lifter.seq_len).clip(max=len(keypoints) - 1)
    window = keypoints[frames]
    inputs, _ = lifter.encode(window[None], dict(w=clip.width, h=clip.height))
    model = lifter.network.model
    if not model.pruners:
        raise ValueError(f'{lifter.name} has no pruner: it keeps all frames')
    pruner, calls = model.pruners[0], []
    hook = pruner.register_forward_hook(
        lambda _, inputs, output: calls.append([*inputs, output])
    )
    try:
        model.extract_feat(torch.from_numpy(inputs))
    finally:
        hook.remove()
    [(features, num_keep, own)] = calls
    kept = {name: kind(num_keep, 0)(features) for name, kind in _PRUNERS.items()}
    if type(pruner) not in _PRUNERS.values():
        kept['model'] = own
    kept = {name: index[0].cpu().numpy() for name, index in kept.items()}
    return window[..., :2], kept


def draw_kept_frames(
    keypoints: np.ndarray,
    kept: Mapping[str, np.ndarray],
    rig: drawing.SkeletonStyle,
    fps: float,
    num_poses: int = 9,
    width: int = 1600,
) -> np.ndarray:
    """Draw a window's poses, their motion, and the kept frames.

    Args:
        keypoints (np.ndarray): 2D poses of the window, pixels, (T, K, 2).
        kept (Mapping[str, np.ndarray]): Kept frames, 0 to T - 1, by the name of the
            pruner.
        rig (Rig): Bones and colors.
        fps (float): Frames per second, for the time axis.
        num_poses (int): Evenly spaced poses to draw. Defaults to 9.
        width (int): Width of the image in pixels. Defaults to 1600.

    Returns:
        np.ndarray: BGR image, (H, W, 3) uint8.
    """
    num_frames = len(keypoints)
    font = max(12, width // 70)
    left, cell = 7 * font, (width - 8 * font) // num_poses
    row, mark_width = 3 * font, max(1, width // 500)
    height = cell + (2 + len(kept)) * row + 4 * font
    image = np.full((height, width, 3), drawing.BACKGROUND, np.uint8)
    x_of = left + (np.arange(num_frames) + 0.5) / num_frames * cell * num_poses
    shown = ((np.arange(num_poses) + 0.5) / num_poses * num_frames).astype(int)
    _draw_poses(image[font:], keypoints[shown], rig, x_of[shown], cell)

    top = cell + 2 * font
    _draw_motion(image, keypoints, x_of, top, top + 2 * row - font)
    drawing.draw_text(image, 'speed', (left - font, top + row), font, anchor='right')
    top += 2 * row
    for name, frames in kept.items():
        middle = top + row // 2
        drawing.draw_text(image, name, (left - font, middle), font, anchor='right')
        start, end = (int(x_of[0]), middle), (int(x_of[-1]), middle)
        cv2.line(image, start, end, _CURVE, 1, cv2.LINE_AA)
        for x in x_of[np.asarray(frames)].astype(int):
            image[middle - font : middle + font, x : x + mark_width] = _KEPT
        top += row
    for frame in shown:
        text = f'{frame / fps:.1f} s'
        position = (x_of[frame], top + font)
        drawing.draw_text(image, text, position, font, drawing.FAINT_TEXT, 'center')
    return image


def motion_of(keypoints: np.ndarray) -> np.ndarray:
    """Mean motion of the joints from the previous frame, (T,)."""
    steps = np.linalg.norm(np.diff(keypoints, axis=0), axis=-1)
    return np.concatenate([[0.0], np.nanmean(steps, axis=1)])


def _draw_poses(
    image: np.ndarray,
    poses: np.ndarray,
    rig: drawing.SkeletonStyle,
    centers: np.ndarray,
    cell: int,
) -> None:
    """Draw poses (P, K, 2) side by side at one scale."""
    low, high = np.nanmin(poses, axis=1), np.nanmax(poses, axis=1)  # (P, 2)
    scale = 0.9 * cell / max((high - low).max(), 1e-6)
    places = np.stack([centers, np.full(len(poses), cell / 2)], -1)
    moved = (poses - (low + high)[:, None] / 2) * scale + places[:, None]
    sizes = np.full(moved.shape[:2], cell / 2)  # a person of two meters fills a cell
    visible = np.ones(moved.shape[:2], bool)
    drawing.draw_people(image, rig, moved, sizes, visible)


def _draw_motion(
    image: np.ndarray, keypoints: np.ndarray, x_of: np.ndarray, top: int, bottom: int
) -> None:
    """Draw the motion from frame to frame as an area."""
    motion = motion_of(keypoints)
    y_of = bottom - motion / max(motion.max(), 1e-6) * (bottom - top)
    outline = np.stack([x_of, y_of], -1)
    corners = [[x_of[-1], bottom], [x_of[0], bottom]]
    area = np.concatenate([outline, corners]).round().astype(np.int32)
    cv2.fillPoly(image, [area], _CURVE, cv2.LINE_AA)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_kept_frames.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
