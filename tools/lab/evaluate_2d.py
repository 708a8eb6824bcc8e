"""Compare 2D models on labeled pictures, each person in its annotated box.

Any 2D model that `mmhot infer` takes can be measured: a config and checkpoint, an .onnx
file, mediapipe. Keypoints are matched by name, so the datasets may have other ones than
the model. Example::

    python -m tools.lab.evaluate_2d --pose2d CONFIG --pose2d-weights CHECKPOINT \
        --dataset CocoDataset coco/test_coco.json coco/ \
        --dataset MpiiDataset mpii/test_mpii.json mpii/
"""

import argparse
import json
import sys
from pathlib import Path

from mmhot.cli.device import choose_device
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pose2d', metavar='MODEL', help='as in mmhot infer')
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--dataset',
        nargs=3,
        action='append',
        required=True,
        metavar=('TYPE', 'ANNOTATIONS', 'IMAGES'),
        help="one of MMPose's top-down datasets or RenderedPeopleDataset; repeatable",
    )
    parser.add_argument(
        '--skeleton',
        default='coco-17',
        help='keypoints to compare: coco-17 or coco-wholebody-133',
    )
    parser.add_argument('--batch-size', type=int, default=32, help='people at once')
    parser.add_argument('--limit', type=int, help='only so many people of each dataset')
    parser.add_argument('--device', default='cpu', help='PyTorch device (default: cpu)')
    parser.add_argument(
        '--out', type=output_file, help='write the numbers as JSON, too'
    )
    parser.add_argument(
        '--worst', type=output_file, metavar='PNG', help='draw the 60 worst people, too'
    )
    parser.add_argument(
        '--fit-confidence',
        action='store_true',
        help="print GTPT's test_cfg.score_curve that makes these scores confidences",
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np

    from mmhot.skeletons.joints import get_skeleton
    from mmhot.video.sources.pose_source import open_pose_source
    from tools.lab.keypoint_errors import (
        calibration_error,
        fit_confidence,
        reliability,
        summarize,
    )
    from tools.lab.labeled_images import join, predict, read_labeled

    device = _check(args)
    _, estimator = open_pose_source(
        args.pose2d, args.pose2d_weights, 'whole_image', device=device
    )
    if args.fit_confidence and estimator.has_score_curve:
        raise ValueError(
            f'--fit-confidence: {estimator.name} has a score_curve already; give '
            'the config without it, and --pose2d-weights'
        )
    pictures = [
        read_labeled(*dataset, args.skeleton, args.limit) for dataset in args.dataset
    ]
    found = [predict(estimator, each, args.batch_size) for each in pictures]
    parts, scores = map(list, zip(*found, strict=True))
    everybody = join(parts)
    names = [f'{kind} {Path(file).name}' for kind, file, _ in args.dataset]
    rows = dict(zip(names, map(summarize, parts), strict=True))
    if len(parts) > 1:
        rows['all'] = summarize(everybody)
    print_line(f'{estimator.name}\n{format_rows(rows)}')
    labeled = everybody.labeled
    right = everybody.within(0.1, 'bbox')[labeled]
    confidences = np.concatenate(scores)[labeled]
    table = reliability(confidences, right)
    print_line(
        'confidence, share right, keypoints: '
        + '; '.join(f'{s:.2f} {r:.2f} {n}' for s, r, n in table)
        + f' (calibration error {calibration_error(table):.3f})'
    )
    if args.fit_confidence:
        print_line(f'score_curve={fit_confidence(confidences, right)}')
    if args.out:
        from mmhot.io.atomic import replacing

        # JSON knows no NaN
        known = {
            name: {key: None if np.isnan(x) else x for key, x in row.items()}
            for name, row in rows.items()
        }
        numbers = {'model': estimator.name, 'rows': known, 'reliability': table}
        text = json.dumps(numbers, indent=1, default=float, allow_nan=False)
        with replacing(args.out) as temporary:
            temporary.write_text(f'{text}\n')
    if args.worst:
        from tools.lab.worst_predictions import draw_worst

        samples = [sample for each in pictures for sample in each.samples]
        draw_worst(samples, everybody, get_skeleton(args.skeleton), args.worst)


def _check(args: argparse.Namespace) -> str:
    """Refuse what would fail later; return the device."""
    for name in ('batch_size', 'limit'):
        value = getattr(args, name)
        if value is not None and value < 1:
            option = name.replace('_', '-')
            raise ValueError(f'--{option} must be at least 1, got {value}')
    for path in (args.out, args.worst):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    return choose_device(args.device)


def format_rows(rows: dict[str, dict[str, float]]) -> str:
    """Return a table of shares."""
    from mmhot.cli.table import align

    lines = [['', *next(iter(rows.values()))]]
    for name, row in rows.items():
        cells = [
            f'{v:.0f}' if key == 'people' else f'{v:.3f}' for key, v in row.items()
        ]
        lines.append([name, *cells])
    return align(lines)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('evaluate_2d.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
