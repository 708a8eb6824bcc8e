"""Evaluate 2D models on labeled images, with annotated boxes.

Any 2D model of ``mmhot infer`` can be evaluated: a config and checkpoint, an .onnx
file, mediapipe. Keypoints are matched by name, so datasets may have other keypoints
than the model. Example::

    python -m tools.lab.evaluate_2d --pose2d CONFIG --pose2d-weights CHECKPOINT \
        --dataset CocoDataset coco/test_coco.json coco/ \
        --dataset MpiiDataset mpii/test_mpii.json mpii/
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file
from mmhot.compat.installation import choose_device
from mmhot.io.atomic import replacing
from mmhot.io.images import write_png
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.skeletons.side_colors import side_rgb
from mmhot.structures.crops import crop_matrix, map_points
from mmhot.video.sources.pose_source import open_pose_source
from mmhot.visualization.drawing import (
    BACKGROUND,
    draw_people,
    draw_text,
    skeleton_style,
)
from tools.lab.keypoint_errors import (
    LabeledPeople,
    calibration_error,
    fit_confidence,
    reliability,
    summarize,
    summarize_joints,
)
from tools.lab.labeled_images import join, load_image, predict, read_labeled

_TILE = (150, 200)  # width and height in pixels
_PADDING = 1.35
_COUNTS = ('people', 'keypoints')
_METERS = 1.7  # assumed height of a box, for the widths of limbs


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
    parser.add_argument('--batch-size', type=int, default=32, help='people per batch')
    parser.add_argument('--limit', type=int, help='maximum of people of each dataset')
    parser.add_argument('--device', default='cpu', help='PyTorch device (default: cpu)')
    parser.add_argument(
        '--out', type=output_file, help='also write the numbers as JSON'
    )
    parser.add_argument(
        '--worst', type=output_file, metavar='PNG', help='also draw the 60 worst people'
    )
    parser.add_argument(
        '--fit-confidence',
        action='store_true',
        help="print GTPT's test_cfg.score_curve that calibrates the scores",
    )
    return parser.parse_args()


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate and print."""
    device = _check(args)
    _, estimator = open_pose_source(
        args.pose2d, args.pose2d_weights, 'whole_image', device=device
    )
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
    if len(parts) > 1:
        rows['all'] = summarize(people)
    print_line(f'{estimator.name}\n{format_rows(rows)}')
    kinds = joints_by_kind(get_skeleton(args.skeleton))
    joints = {
        f'{name}: {kind}': row
        for name, part in zip(names, parts, strict=True)
        for kind, row in summarize_joints(part, kinds).items()
    }
    if joints:
        print_line(format_rows(joints))
    correct = people.within(0.1, 'bbox')[people.labeled]
    confidences = np.concatenate(scores)[people.labeled]
    table = reliability(confidences, correct)
    print_line(
        'confidence, share correct, keypoints: '
        + '; '.join(f'{s:.2f} {r:.2f} {n}' for s, r, n in table)
        + f' (calibration error {calibration_error(table):.3f})'
    )
    if args.fit_confidence:
        print_line(f'score_curve={fit_confidence(confidences, correct)}')
    if args.out:
        write_numbers(args.out, estimator.name, rows, joints, table)
    if args.worst:
        samples = [sample for each in datasets for sample in each.samples]
        draw_worst(samples, people, get_skeleton(args.skeleton), args.worst)


def _check(args: argparse.Namespace) -> str:
    """Check arguments before the work is done; return the device."""
    for name in ('batch_size', 'limit'):
        value = getattr(args, name)
        if value is not None and value < 1:
            option = name.replace('_', '-')
            raise ValueError(f'--{option} must be at least 1, got {value}')
    for path in (args.out, args.worst):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    return choose_device(args.device)


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
    return align(lines)


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


def draw_worst(
    samples: Sequence[dict],
    people: LabeledPeople,
    skeleton: Skeleton,
    path: Path,
    number: int = 60,
    columns: int = 12,
) -> None:
    """Draw the people of lowest OKS, worst first.

    Limbs are predictions, rings are labels, in the colors of their sides.

    Args:
        samples (Sequence[dict]): MMPose's data info of each person.
        people (LabeledPeople): Their labels and predictions.
        skeleton (Skeleton): Of the keypoints.
        path (Path): The PNG file to write.
        number (int): Maximum number of people. Defaults to 60.
        columns (int): People in a row. Defaults to 12.
    """
    oks = people.oks()
    order = np.argsort(np.where(np.isnan(oks), np.inf, oks), kind='stable')[:number]
    rows = -(-len(order) // columns)
    width, height = _TILE
    image = np.full((rows * height, columns * width, 3), BACKGROUND, np.uint8)
    for place, person in enumerate(order):
        tile = _draw_tile(load_image(samples[person]), people, person, skeleton)
        draw_text(tile, f'{oks[person]:.2f}', (4, 10), 13)
        top, left = place // columns * height, place % columns * width
        image[top : top + height, left : left + width] = tile
    write_png(path, image)


def _draw_tile(
    image: np.ndarray, people: LabeledPeople, person: int, skeleton: Skeleton
) -> np.ndarray:
    """Draw one person, (height, width, 3)."""
    box = people.bboxes[person]
    matrix = crop_matrix(box, _TILE, _PADDING)
    tile = cv2.warpAffine(image, matrix, _TILE, borderValue=BACKGROUND)
    scale = matrix[0, 0] * (box[3] - box[1]) / _METERS
    predicted = map_points(matrix, people.predicted[person])[None]
    ones = np.ones(predicted.shape[:2])
    rig = skeleton_style(skeleton.joints, skeleton.parents)
    draw_people(tile, rig, predicted, scale * ones / 2, ones > 0)
    labels = map_points(matrix, people.truth[person]).round().astype(int)
    for joint in np.flatnonzero(people.labeled[person]):
        color = side_rgb(skeleton.joints[joint])[::-1]
        cv2.circle(tile, labels[joint].tolist(), 4, color, 1, cv2.LINE_AA)
    return tile


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('evaluate_2d.py', lambda: evaluate(args))


if __name__ == '__main__':
    sys.exit(main())
