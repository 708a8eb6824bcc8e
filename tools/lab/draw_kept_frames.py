"""Draw which frames of a clip an hourglass lifter keeps.

Drawn are those that its pruner and others would keep: clusters of its features,
uniform sampling, and the frames that move most.

Example::

    python -m tools.lab.draw_kept_frames demo/skating_2d_coco17.npz kept.png
"""

import argparse
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('clip', type=Path, help='2D keypoints')
    parser.add_argument('target', type=output_file, help='the .png to write')
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
    import mmhot
    from mmhot.io.arrays import write_png
    from mmhot.skeletons.joints import get_skeleton
    from mmhot.visualization.drawing import skeleton_style
    from tools.lab.kept_frames import trace_frames
    from tools.lab.kept_frames_figure import draw_kept_frames

    lifter = mmhot.Lifter(args.model, args.checkpoint)
    clip = mmhot.read_keypoints(args.clip)
    keypoints, kept = trace_frames(lifter, clip, args.start)
    skeleton = get_skeleton('h36m-17')
    rig = skeleton_style(skeleton.joints, skeleton.parents)
    write_png(args.target, draw_kept_frames(keypoints, kept, rig, lifter.fps))
    for name, frames in kept.items():
        print_line(f'{name:<10}{len(frames):>4} of {len(keypoints)} frames')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_kept_frames.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
