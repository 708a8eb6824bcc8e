"""Detect people in images and videos, estimate and draw their 2D keypoints.

MMPose's topdown_demo_with_mmdet.py for GTPT and other top-down models. Example::

    python tools/topdown_demo.py CONFIG CHECKPOINT --input walk.mp4 \
        --det-config DETECTOR_CONFIG --det-checkpoint DETECTOR_CHECKPOINT \
        --output-root results --save-predictions

Without a detector, the whole image is the bounding box of one person.
"""

import argparse
import sys

from mmhot.cli.errors import OneLineParser, print_line, run_safely


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pose_config', help='config, or name of a 2D model')
    parser.add_argument(
        'pose_checkpoint',
        nargs='?',
        help='its weights (default: those of the model index)',
    )
    parser.add_argument(
        '--input', required=True, help='image, video, folder or glob of these, or URL'
    )
    parser.add_argument(
        '--output-root', help='folder for the drawn inputs, under their own names'
    )
    parser.add_argument(
        '--save-predictions',
        action='store_true',
        help='write predictions to NAME.json there too',
    )
    parser.add_argument(
        '--det-config',
        default='whole_image',
        help='detector: config, name, .onnx file (default: the whole image is one box)',
    )
    parser.add_argument('--det-checkpoint', help='its weights')
    parser.add_argument('--show', action='store_true', help='show drawings in a window')
    parser.add_argument(
        '--show-interval',
        type=float,
        default=0,
        metavar='SECONDS',
        help='how long each image is shown (default: until a key is pressed)',
    )
    parser.add_argument(
        '--bbox-thr', type=float, default=0.3, help='minimum box score (0.3)'
    )
    parser.add_argument(
        '--nms-thr',
        type=float,
        help="IoU above which a box of lower score is removed (the detector's own)",
    )
    parser.add_argument(
        '--kpt-thr', type=float, default=0.3, help='minimum keypoint score (0.3)'
    )
    parser.add_argument('--draw-bbox', action='store_true', help='draw boxes')
    parser.add_argument(
        '--radius', type=int, default=3, help='of keypoints, pixels (3)'
    )
    parser.add_argument('--thickness', type=int, default=1, help='of bones, pixels (1)')
    parser.add_argument('--batch-size', type=int, default=1, help='images at once')
    parser.add_argument(
        '--device', help='PyTorch device (default: a GPU if there is one)'
    )
    args = parser.parse_args()
    if not (args.show or args.output_root):
        parser.error('--output-root, or --show, or both, must be given')
    if args.save_predictions and not args.output_root:
        parser.error('--save-predictions needs --output-root')
    return args


def find_people(args: argparse.Namespace) -> None:
    """Run the inferencer on all inputs."""
    from mmhot.apis import Inferencer

    inferencer = Inferencer(
        args.pose_config,
        args.pose_checkpoint,
        device=args.device,
        det_model=args.det_config,
        det_weights=args.det_checkpoint,
        show_progress=sys.stderr.isatty(),
    )
    results = inferencer(
        args.input,
        batch_size=args.batch_size,
        vis_out_dir=args.output_root,
        pred_out_dir=args.output_root if args.save_predictions else None,
        show=args.show,
        wait_time=args.show_interval,
        bbox_thr=args.bbox_thr,
        nms_thr=args.nms_thr,
        kpt_thr=args.kpt_thr,
        draw_bbox=args.draw_bbox,
        radius=args.radius,
        thickness=args.thickness,
    )
    counts = [len(result['predictions'][0]) for result in results]
    where = f', drawn in {args.output_root}' if args.output_root else ''
    print_line(f'{len(counts)} images, {sum(counts)} poses{where}')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('topdown_demo.py', lambda: find_people(args))


if __name__ == '__main__':
    sys.exit(main())
