"""Evaluate 2D models on labeled images, with annotated boxes.

Any 2D model of ``mmhot infer`` can be evaluated: a config and checkpoint, an .onnx
file. Keypoints are matched by name, so datasets may have other keypoints than the
model. Example::

    python -m projects.rendered_people.evaluate_2d --pose2d CONFIG \
        --pose2d-weights CHECKPOINT \
        --dataset CocoDataset coco/test_coco.json coco/ \
        --dataset MpiiDataset mpii/test_mpii.json mpii/
"""

import argparse
import json
from pathlib import Path

import numpy as np

import mmhot.plugin  # noqa: F401 registers
from mmhot import get_skeleton
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
from mmhot.skeletons.joints import Skeleton
from projects.rendered_people.commands import run_command
from projects.rendered_people.files import replacing
from projects.rendered_people.keypoint_errors import (
    calibration_error,
    fit_confidence,
    group_trunks,
    reliability,
    summarize,
    summarize_joints,
)
from projects.rendered_people.labeled_images import join, predict, read_labeled

_COUNTS = ('people', 'keypoints')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    parser.add_argument('--batch-size', type=int, default=32, help='people per batch')
    parser.add_argument('--limit', type=int, help='maximum of people of each dataset')
    parser.add_argument('--device', default='cpu', help='PyTorch device (default: cpu)')
    parser.add_argument('--out', type=Path, help='also write the numbers as JSON')
    parser.add_argument(
        '--fit-confidence',
        action='store_true',
        help="print GTPT's test_cfg.score_curve that calibrates the scores",
    )
    args = parser.parse_args()
    if min(args.batch_size, 1 if args.limit is None else args.limit) < 1:
        parser.error('--batch-size and --limit must be at least 1')
    return args


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate and print."""
    options = Pose2DOptions(
        pose2d=args.pose2d,
        pose2d_weights=args.pose2d_weights,
        det_model='whole_image',
        device=args.device,
    )
    _, estimator = open_pose_source(options)
    if args.fit_confidence and estimator.has_score_curve:
        raise ValueError(
            f'--fit-confidence: {estimator.name} has a score_curve already; give '
            'the config without it, and --pose2d-weights'
        )
    datasets = [
        read_labeled(*dataset, args.skeleton, args.limit) for dataset in args.dataset
    ]
    results = [predict(estimator, each, args.batch_size) for each in datasets]
    parts, scores = map(list, zip(*results, strict=True))
    people = join(parts)
    names = [f'{kind} {Path(file).name}' for kind, file, _ in args.dataset]
    rows = dict(zip(names, map(summarize, parts), strict=True))
    for name, part in zip(names, parts, strict=True):
        for group, chosen in group_trunks(part).items():
            if chosen.any():
                rows[f'{name}: {group}'] = summarize(part.select(chosen))
    if len(parts) > 1:
        rows['all'] = summarize(people)
    print(f'{estimator.name}\n{format_rows(rows)}')
    kinds = joints_by_kind(get_skeleton(args.skeleton))
    joints = {
        f'{name}: {kind}': row
        for name, part in zip(names, parts, strict=True)
        for kind, row in summarize_joints(part, kinds).items()
    }
    if joints:
        print(format_rows(joints))
    correct = people.within(0.1, 'bbox')[people.labeled]
    confidences = np.concatenate(scores)[people.labeled]
    table = reliability(confidences, correct)
    print(
        'confidence, share correct, keypoints: '
        + '; '.join(f'{s:.2f} {r:.2f} {n}' for s, r, n in table)
        + f' (calibration error {calibration_error(table):.3f})'
    )
    if args.fit_confidence:
        print(f'score_curve={fit_confidence(confidences, correct)}')
    if args.out:
        write_numbers(args.out, estimator.name, rows, joints, table)


def joints_by_kind(skeleton: Skeleton) -> dict[str, list[int]]:
    """Return the indices of the head, of each joint of both sides, and of other parts.

    Args:
        skeleton (Skeleton): COCO's or COCO-WholeBody's keypoints.
    """
    kinds = {'head': skeleton.indices('head')}
    for index in skeleton.indices('upper_body') + skeleton.indices('lower_body'):
        _, name = skeleton.joints[index].split('_')
        kinds.setdefault(name, []).append(index)
    others = {'feet', 'face', 'left_hand', 'right_hand'} & {*skeleton.groups}
    return kinds | {part: skeleton.indices(part) for part in sorted(others)}


def format_rows(rows: dict[str, dict[str, float]]) -> str:
    """Format the metrics as a table."""
    lines = [['', *next(iter(rows.values()))]]
    for name, row in rows.items():
        cells = [f'{v:.0f}' if key in _COUNTS else f'{v:.3f}' for key, v in row.items()]
        lines.append([name, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return '\n'.join(
        '  '.join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def write_numbers(
    path: Path,
    model: str,
    rows: dict[str, dict[str, float]],
    joints: dict[str, dict[str, float]],
    table: list[tuple],
) -> None:
    """Write the metrics as JSON, with null for NaN."""
    numbers = {
        'model': model,
        'rows': _without_nan(rows),
        'joints': _without_nan(joints),
        'reliability': table,
    }
    text = json.dumps(numbers, indent=1, default=float, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(f'{text}\n')


def _without_nan(rows: dict[str, dict[str, float]]) -> dict[str, dict]:
    return {
        name: {key: None if np.isnan(x) else x for key, x in row.items()}
        for name, row in rows.items()
    }


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: evaluate(args))


if __name__ == '__main__':
    main()
