r"""Estimate the 2D keypoints of people in images and videos, and draw them.

MMPose's topdown_demo_with_mmdet.py for GTPT and other top-down models. Example::

    python tools/topdown_demo.py CONFIG CHECKPOINT --input walk.mp4 \
        --det-config DETECTOR_CONFIG --det-checkpoint DETECTOR_CHECKPOINT \
        --output-root results --save-predictions

Without a detector, the whole image is the bounding box of one person.
"""

import argparse
import sys

from mmhot.cli.errors import OneLineParser, print_line, run_safely

_CALL = 'show wait_time bbox_thr nms_thr kpt_thr draw_bbox radius thickness batch_size'
"""Arguments of the inferencer's call."""


def build_parser() -> OneLineParser:
    """Declare the arguments."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pose_config', help='config, or name of a 2D model')
    parser.add_argument(
        'pose_checkpoint',
        nargs='?',
        help='its checkpoint (default: as in the model index)',
    )
    parser.add_argument(
        '--input', required=True, help='image, video, folder or glob of these, or URL'
    )
    parser.add_argument(
        '--output-root', help='folder for drawings, named after the inputs'
    )
    parser.add_argument(
        '--save-predictions', action='store_true', help='also write NAME.json there'
    )
    parser.add_argument(
        '--det-config',
        default='whole_image',
        help='detector: config, name or .onnx file (default: whole_image)',
    )
    parser.add_argument('--det-checkpoint', help='its checkpoint')
    parser.add_argument('--device', help='PyTorch device (default: the GPU if any)')
    parser.add_argument(
        '--show-interval',
        dest='wait_time',
        type=float,
        default=0,
        metavar='SECONDS',
        help='time for which each image is shown (default: until a key is pressed)',
    )
    parser.add_argument('--show', action='store_true', help='show drawings in a window')
    parser.add_argument('--draw-bbox', action='store_true', help='draw bounding boxes')
    for name, kind, default, help_text in (
        ('--bbox-thr', float, 0.3, 'boxes of this score or less are dropped'),
        ('--nms-thr', float, None, 'IoU above which boxes are duplicates'),
        ('--kpt-thr', float, 0.3, 'minimum confidence of drawn keypoints'),
        ('--radius', int, 3, 'radius of keypoints in pixels'),
        ('--thickness', int, 1, 'thickness of bones in pixels'),
        ('--batch-size', int, 1, 'frames per batch'),
    ):
        parser.add_argument(name, type=kind, default=default, help=help_text)
    return parser


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = build_parser()
    args = parser.parse_args()
    if not (args.show or args.output_root):
        parser.error('--output-root, or --show, or both, must be given')
    if args.save_predictions and not args.output_root:
        parser.error('--save-predictions needs --output-root')
    return args


def run_inferencer(args: argparse.Namespace) -> None:
    """Estimate, draw and write the keypoints of all inputs."""
    from mmhot.apis import Inferencer

    inferencer = Inferencer(
        args.pose_config,
        args.pose_checkpoint,
        device=args.device,
        det_model=args.det_config,
        det_weights=args.det_checkpoint,
        show_progress=True,
    )
    results = inferencer(
        args.input,
        vis_out_dir=args.output_root,
        pred_out_dir=args.output_root if args.save_predictions else None,
        **{name: getattr(args, name) for name in _CALL.split()},
    )
    counts = [len(result['predictions'][0]) for result in results]
    where = f', drawn in {args.output_root}' if args.output_root else ''
    print_line(f'{len(counts)} images, {sum(counts)} people in total{where}')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('topdown_demo.py', lambda: run_inferencer(args), build_parser())


if __name__ == '__main__':
    sys.exit(main())
