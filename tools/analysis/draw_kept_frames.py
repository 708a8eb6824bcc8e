"""Draw what pruning keeps of a video: patches of a GTPT, and frames of a lifter.

On the left are the patches of the person, by layer and group. On the right is the
frame, dark unless the lifter keeps it, above the kept frames of its window. Example::

    python -m tools.analysis.draw_kept_frames demo/walk.mp4 kept.mp4
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

import mmhot
from mmhot.chain.frames.inputs import open_clip
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pose2d.mmpose_models import load_pose_model
from mmhot.chain.visualization.drawing import BACKGROUND, FAINT_TEXT, draw_text
from mmhot.chain.visualization.video import write_video
from mmhot.cli.errors import output_file, print_line, run_tool
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.weights.names import POSE, resolve
from tools.analysis.draw_kept_patches import draw_pruning, trace_pruning

_KEPT = (222, 111, 47)  # BGR
_DROPPED = (70, 64, 60)
_NOW = (48, 140, 255)  # the frame above the row
_WIDTH = 480  # pixels
_ROW = 36  # pixels; height of the row of kept frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('video', type=Path, help='video of a person')
    parser.add_argument('target', type=output_file, help='.mp4 file to write')
    parser.add_argument(
        '--pose2d', default='gtpt-t', help='config or name of a GTPT (default: gtpt-t)'
    )
    parser.add_argument(
        '--model', help='config or name of a lifter with a pruner (default: shipped)'
    )
    parser.add_argument('--checkpoint', type=Path, help='its weights')


def main(args: argparse.Namespace) -> None:
    """Draw the person with the most frames."""
    clip = mmhot.infer(args.video)
    tracks, counts = np.unique(clip.track, return_counts=True)
    person = clip.take(np.flatnonzero(clip.track == tracks[counts.argmax()]))
    lifter = Lifter(args.model, args.checkpoint, backend='torch')
    frames = draw_video(args.video, person, lifter, args.pose2d)
    count = write_video(args.target, frames, clip.fps)
    print_line(f'{args.target}: {count} frames')


def draw_video(
    video: Path, person: Clip3D, lifter: Lifter, pose2d: str
) -> Iterator[tuple[np.ndarray, float]]:
    """Draw the frames of a person.

    Args:
        video (Path): The video.
        person (Clip3D): Poses of one person.
        lifter (Lifter): Its model has a pruner.
        pose2d (str): Config or name of a GTPT.

    Yields:
        tuple[np.ndarray, float]: An image, BGR (H, W, 3) uint8, and its time.
    """
    estimator, estimator.dataset_meta, _ = load_pose_model(resolve(pose2d, POSE))
    track = Track2D(0, person.frame, person.keypoints_2d, person.scores)
    clip = Clip2D(
        person.name, 'h36m-17', [track], person.width, person.height, person.fps
    )
    row_of = {frame: row for row, frame in enumerate(person.frame.tolist())}
    start = -1  # first frame of the window whose kept frames are known
    for frame in open_clip(str(video)):
        if frame.index not in row_of:
            continue
        elapsed = (frame.index - person.frame[0]) / person.fps
        place = round(elapsed * lifter.fps) % lifter.seq_len
        first = round(elapsed * lifter.fps) - place
        if first != start:
            start = first
            kept = trace_frames(lifter, clip, first)
        points = person.keypoints_2d[row_of[frame.index]]
        box = [*np.nanmin(points, axis=0), *np.nanmax(points, axis=0)]
        patches = draw_pruning(trace_pruning(estimator, frame.image, box), zoom=1.0)
        frames = draw_kept_frames(frame.image, kept, place, lifter.seq_len)
        yield _beside(patches, frames), frame.time


@torch.no_grad()
def trace_frames(lifter: Lifter, clip: Clip2D, start: int = 0) -> np.ndarray:
    """Return the frames that a lifter keeps of a window.

    Args:
        lifter (Lifter): Its model has a pruner.
        clip (Clip2D): 2D keypoints of one person.
        start (int): First frame of the window, at the model's frame rate. The clip's
            last frame is repeated after its end.

    Returns:
        np.ndarray: Indices in the window of T frames, (N,).

    Raises:
        ValueError: If the model keeps all frames.
    """
    model = lifter.network.model
    if not model.pruners:
        raise ValueError(f'{lifter.name} has no pruner: it keeps all frames')
    segment = lifter.prepare(clip)[0]
    times = clip.times_of(segment.frames)
    keypoints = lifter.sample(segment.keypoints, segment.scores, times)
    frames = np.arange(start, start + lifter.seq_len).clip(max=len(keypoints) - 1)
    size = dict(w=clip.width, h=clip.height)
    inputs, _ = lifter.encode(keypoints[frames][None], size)
    return model.extract_feat(torch.from_numpy(inputs)).kept[0].numpy()


def draw_kept_frames(
    image: np.ndarray, kept: np.ndarray, place: int, num_frames: int
) -> np.ndarray:
    """Draw a frame, dark unless it is kept, and below it the kept frames of its window.

    The frame (H, W, 3) and the drawing (H', 480, 3) are BGR, uint8. Kept frames and the
    frame's place count from 0 in the window.
    """
    height = round(_WIDTH * image.shape[0] / image.shape[1])
    shown = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    if place not in kept:
        shown //= 4
    row = np.full((_ROW, _WIDTH, 3), BACKGROUND, np.uint8)
    text = f'{len(kept)} of {num_frames} frames'
    draw_text(row, text, (4, 10), 14, FAINT_TEXT)
    ends = np.linspace(0, _WIDTH, num_frames + 1).round().astype(int)
    for index in range(num_frames):
        color = _KEPT if index in kept else _DROPPED
        if index == place:
            color = _NOW
        row[20:32, ends[index] : ends[index + 1] - 1] = color
    return np.concatenate([shown, row])


def _beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join two images (H, W, 3); height and width are even, as H.264 needs."""
    height = max(len(left), len(right)) + 1 & ~1
    width = left.shape[1] + right.shape[1] + 1 & ~1
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    image[: len(left), : left.shape[1]] = left
    image[: len(right), left.shape[1] :][:, : right.shape[1]] = right
    return image


if __name__ == '__main__':
    run_tool(add_arguments, main)
