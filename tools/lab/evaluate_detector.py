"""Count the people that detectors find in labeled pictures and films.

Any detector that `mmhot infer` takes can be measured. Example::

    python -m tools.lab.evaluate_detector --det-model pose-verified --pose2d gtpt-t \
        --pictures coco/test_coco.json coco/ --film walk.mp4 walk.npz
"""

import argparse
import json
import sys
import time
from pathlib import Path

from mmhot.cli.device import choose_device
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('--det-model', metavar='MODEL', help='as in mmhot infer')
    parser.add_argument('--det-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument('--pose2d', metavar='MODEL', help='2D model of pose-verified')
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--min-score',
        type=float,
        default=0.3,
        help='leave out boxes below (default: 0.3); pose-verified has its own',
    )
    parser.add_argument(
        '--pictures',
        nargs=2,
        action='append',
        default=[],
        type=Path,
        metavar=('ANNOTATIONS', 'IMAGES'),
        help='JSON like COCO and folder of its images; may be repeated',
    )
    parser.add_argument(
        '--film',
        nargs=2,
        action='append',
        default=[],
        type=Path,
        metavar=('FILM', 'TRUTH'),
        help='film and .npz of the boxes in it (bbox_xyxy, frame); may be repeated',
    )
    parser.add_argument(
        '--every', type=int, default=10, help='frames of films (default: every 10th)'
    )
    parser.add_argument('--device', default='cpu', help='PyTorch device (default: cpu)')
    parser.add_argument(
        '--out', type=output_file, help='write the numbers as JSON, too'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Measure and print."""
    if args.every < 1:
        raise ValueError(f'--every must be at least 1, got {args.every}')
    if not args.pictures + args.film:
        raise ValueError('give labeled --pictures or a --film')
    from mmhot.cli.table import align
    from mmhot.io.atomic import replacing
    from mmhot.video.sources.pose_source import open_pose_source
    from tools.lab.found_boxes import count_found, read_boxed_film, read_boxed_pictures

    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
    detector, _ = open_pose_source(
        args.pose2d,
        args.pose2d_weights,
        args.det_model,
        args.det_weights,
        choose_device(args.device),
        args.min_score,
    )
    sets = [
        (labels, read_boxed_pictures(labels, folder))
        for labels, folder in args.pictures
    ]
    sets += [
        (film, read_boxed_film(film, truth, args.every)) for film, truth in args.film
    ]
    rows = []
    for name, pictures in sets:
        start = time.perf_counter()
        counted = count_found(detector, pictures)
        seconds = round(time.perf_counter() - start, 2)
        rows.append(dict(name=str(name), **counted, seconds=seconds))
    lines = [['', *list(rows[0])[1:]], *(map(str, row.values()) for row in rows)]
    print_line(f'{detector.name}\n{align([list(line) for line in lines])}')
    if args.out:
        with replacing(args.out) as temporary:
            numbers = {'detector': detector.name, 'rows': rows}
            temporary.write_text(json.dumps(numbers, indent=1) + '\n')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('evaluate_detector.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
