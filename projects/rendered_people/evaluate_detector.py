"""Count the people that a detector finds in labeled images and videos.

Any detector of ``mmhot infer`` can be evaluated. Example::

    python -m projects.rendered_people.evaluate_detector \
        --det-model pose-verified --pose2d gtpt-t \
        --images coco/test_coco.json coco/ --video walk.mp4 walk.npz
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmhot.chain.pose2d.detectors import PoseVerifiedDetector, Verification
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
from projects.rendered_people.commands import run_command
from projects.rendered_people.cross_validation import ScoredImage, cross_validate
from projects.rendered_people.files import read_image, replacing

_IOU = 0.5
_LEAST = 0.25  # score of verified boxes, if a threshold is chosen
_PERSON = 'person'


@dataclass
class LabeledImage:
    """An image with labeled people.

    Attributes:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        boxes (np.ndarray): Of people, x1, y1, x2, y2 in pixels, (P, 4).
        crowds (np.ndarray): Whether a box is a crowd, which does not count, bool (P,).
    """

    image: np.ndarray
    boxes: np.ndarray
    crowds: np.ndarray


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--det-model', metavar='MODEL', help='as in mmhot infer')
    parser.add_argument('--det-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument('--pose2d', metavar='MODEL', help='2D model of pose-verified')
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--min-score',
        type=float,
        default=0.3,
        help='ignore boxes below this score (default: 0.3); pose-verified has its own',
    )
    parser.add_argument(
        '--min-height',
        type=float,
        default=0.0,
        help='height of people that count, pixels (default: 0); AP50 is that of all',
    )
    parser.add_argument(
        '--images',
        nargs=2,
        action='append',
        default=[],
        type=Path,
        metavar=('ANNOTATIONS', 'IMAGES'),
        help='COCO-style JSON and folder of its images; may be repeated',
    )
    parser.add_argument(
        '--video',
        nargs=2,
        action='append',
        default=[],
        type=Path,
        metavar=('VIDEO', 'BOXES'),
        help='video and .npz of its boxes (bbox_xyxy, frame); may be repeated',
    )
    parser.add_argument(
        '--every', type=int, default=10, help='step between video frames (default: 10)'
    )
    parser.add_argument(
        '--empty',
        type=Path,
        metavar='IMAGES',
        help='folder of images without people: the threshold of the score is chosen by '
        'cross-validation on these and --images, instead of --min-score',
    )
    parser.add_argument(
        '--extra',
        type=int,
        default=3,
        help='with --empty: extra boxes allowed in all --images (default: 3)',
    )
    parser.add_argument('--device', default='cpu', help='PyTorch device (default: cpu)')
    parser.add_argument('--out', type=Path, help='also write the numbers as JSON')
    args = parser.parse_args()
    if args.every < 1:
        parser.error(f'--every must be at least 1, got {args.every}')
    if not args.images + args.video:
        parser.error('give labeled --images or a --video')
    if args.extra < 0:
        parser.error(f'--extra must not be negative, got {args.extra}')
    return args


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate and print."""
    names = ('pose2d', 'pose2d_weights', 'det_model', 'det_weights', 'device')
    options = Pose2DOptions(**{name: getattr(args, name) for name in names})
    least = Verification.candidate_score if args.empty else args.min_score
    detector, _ = open_pose_source(options, least)
    if args.empty and isinstance(detector, PoseVerifiedDetector):
        detector.limits = replace(detector.limits, min_score=_LEAST)
    datasets = [
        (labels, read_labeled_images(labels, folder)) for labels, folder in args.images
    ]
    datasets += [
        (video, read_labeled_video(video, boxes, args.every))
        for video, boxes in args.video
    ]
    without_people = read_empty(args.empty) if args.empty else ()
    empty = [score_detections(detector, image) for image in without_people]
    rows = []
    for name, images in datasets:
        start = time.perf_counter()
        if args.empty:
            scored = [score_detections(detector, x) for x in images]
            counts = cross_validate(scored, empty, args.extra)
        else:
            counts = count_found(detector, images, args.min_height)
        seconds = round(time.perf_counter() - start, 2)
        rows.append(dict(name=str(name), **counts, seconds=seconds))
    print(detector.name)
    for row in rows:
        print(', '.join(f'{name} {value}' for name, value in row.items()))
    if args.out:
        with replacing(args.out) as temporary:
            numbers = {'detector': detector.name, 'rows': rows}
            temporary.write_text(json.dumps(numbers, indent=1) + '\n')


def read_labeled_images(annotations: Path, images: Path) -> Iterator[LabeledImage]:
    """Read a COCO-style folder image by image.

    Args:
        annotations (Path): JSON with ``images`` and ``annotations``. Of several
            ``categories`` only the one named person counts.
        images (Path): Folder of the images.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If the JSON is not of COCO's format or has no images or people.
    """
    content = json.loads(annotations.read_text())
    try:
        boxes = {image['id']: [] for image in content['images']}
        if not boxes:
            raise ValueError('it has no images')
        person_ids = _person_categories(content)
        for person in content['annotations']:
            if person_ids is not None and person['category_id'] not in person_ids:
                continue
            x, y, width, height = map(float, person['bbox'])
            crowd = bool(person.get('iscrowd', 0))
            boxes[person['image_id']].append((x, y, x + width, y + height, crowd))
        paths = {
            image['id']: images / image['file_name'] for image in content['images']
        }
        arrays = {key: np.array(x, float).reshape(-1, 5) for key, x in boxes.items()}
        for array in arrays.values():
            _check_boxes(array[:, :4])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file with boxes of people ({error!r})'
        ) from error
    return (
        LabeledImage(read_image(paths[key]), array[:, :4], array[:, 4] > 0)
        for key, array in arrays.items()
    )


def read_labeled_video(path: Path, labels: Path, every: int) -> Iterator[LabeledImage]:
    """Read frames of a video with known boxes, one at a time.

    Args:
        path (Path): The video.
        labels (Path): ``.npz`` of ``bbox_xyxy`` (N, 4) in pixels and the ``frame`` of
            each (N,); without the latter one per frame.
        every (int): Step between frames.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the boxes cannot be read or do not fit the video.
    """
    with np.load(labels) as archive:
        arrays = dict(archive)
    boxes = arrays.get('bbox_xyxy')
    if boxes is None or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'{labels} has no array bbox_xyxy (N, 4)')
    frames = arrays.get('frame', np.arange(len(boxes)))
    try:
        _check_boxes(boxes)
    except ValueError as error:
        raise ValueError(f'{labels}: {error}') from error
    if frames.shape != boxes.shape[:1]:
        raise ValueError(f'{labels} has {len(boxes)} boxes and {len(frames)} frames')
    return _labeled_frames(path, labels, boxes, frames, every)


def read_empty(folder: Path) -> Iterator[LabeledImage]:
    """Read the images of a folder, which have no people.

    Raises:
        FileNotFoundError: If there are none.
    """
    paths = sorted(path for path in folder.glob('*') if path.is_file())
    if not paths:
        raise FileNotFoundError(f'{folder} has no images')
    no_labels = np.zeros((0, 4)), np.zeros(0, bool)
    return (LabeledImage(read_image(path), *no_labels) for path in paths)


def _labeled_frames(
    path: Path,
    labels: Path,
    boxes: np.ndarray,
    frames: np.ndarray,
    every: int,
) -> Iterator[LabeledImage]:
    index = -1
    with av.open(str(path)) as video:
        for index, frame in enumerate(video.decode(video=0)):
            if index % every == 0:
                own = boxes[frames == index].astype(float)
                image = frame.to_ndarray(format='bgr24')
                yield LabeledImage(image, own, np.zeros(len(own), bool))
    if len(frames) and frames.max() > index:
        raise ValueError(
            f'{labels} has a box in frame {frames.max()}, and {path} has '
            f'{index + 1} frames'
        )


def count_found(
    detector: Callable, images: Iterable[LabeledImage], min_height: float = 0.0
) -> dict:
    """Count detected people.

    A person is found if a detection has an IoU of at least 0.5 with the labeled box;
    detections are matched once, in order of their scores, as in COCO's AP50. Boxes in
    crowds do not count.

    Args:
        detector (Callable): Maps images to boxes (P, 4) and scores (P,) of each.
        images (Iterable[LabeledImage]): Images with labels.
        min_height (float): Pixels from which people count; detections of smaller ones
            are not ``extra``. Defaults to 0.

    Returns:
        dict: Numbers of ``images`` and ``people``, of people ``found``, and of
        ``extra`` detections, which match no label; and ``ap50``, COCO's AP of all
        detections at this IoU, which does not depend on a threshold of the score if
        the detector's is low.
    """
    entries, labels, results = _detect(detector, images)
    counted = {
        label['id']
        for label in labels
        if not label['iscrowd'] and label['bbox'][3] >= min_height
    }
    return {
        'images': len(entries),
        'people': len(counted),
        **_match(entries, labels, results, counted),
    }


def score_detections(detector: Callable, labeled: LabeledImage) -> ScoredImage:
    """Match the detections of an image to its labels, as :func:`count_found` does."""
    entries, labels, results = _detect(detector, [labeled])
    [matches] = _evaluate(entries, labels, results).evalImgs if results else [None]
    scores = dict.fromkeys(
        (label['id'] for label in labels if not label['iscrowd']), 0.0
    )
    extra = []
    if matches:
        pairs = zip(matches['dtMatches'][0], matches['dtScores'], strict=True)
        scores |= {int(label): score for label, score in pairs if label in scores}
        extra = np.array(matches['dtScores'])[_are_extra(matches)]
    heights = [labels[number - 1]['bbox'][3] for number in scores]
    return ScoredImage(*map(np.array, (heights, list(scores.values()), extra)))


def _detect(
    detector: Callable, images: Iterable[LabeledImage]
) -> tuple[list[dict], list[dict], list[dict]]:
    """Images, labels and detections in COCO's format."""
    entries, labels, results = [], [], []
    for index, labeled in enumerate(images):
        entries.append(dict(id=index))
        [(boxes, scores)] = detector([labeled.image])
        labels += [
            _as_coco(index, box, iscrowd=int(crowd))
            for box, crowd in zip(labeled.boxes, labeled.crowds, strict=True)
        ]
        results += [
            _as_coco(index, box, score=float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
    labels = [dict(label, id=index) for index, label in enumerate(labels, start=1)]
    return entries, labels, results


def _person_categories(content: dict) -> set | None:
    """IDs of the categories of people; None if all are."""
    categories = content.get('categories', [])
    if len(categories) < 2:
        return None
    people = {category['id'] for category in categories if category['name'] == _PERSON}
    if not people:
        raise ValueError(f'no category is named {_PERSON}')
    return people


def _check_boxes(boxes: np.ndarray) -> None:
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError('boxes must be finite and not negative in size')


def _as_coco(index: int, box: np.ndarray, **more: object) -> dict:
    x1, y1, x2, y2 = map(float, box)
    width, height = x2 - x1, y2 - y1
    common = dict(image_id=index, category_id=1, area=width * height)
    return common | dict(bbox=[x1, y1, width, height]) | more


def _evaluate(images: list[dict], labels: list[dict], results: list[dict]) -> COCOeval:
    """Match detections to labels."""
    truth = COCO()
    truth.dataset = dict(
        images=images, annotations=labels, categories=[dict(id=1, name=_PERSON)]
    )
    # COCO prints its progress
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), 'bbox')
        evaluation.params.iouThrs = np.array([_IOU])
        evaluation.params.maxDets = [len(results)]
        evaluation.params.areaRng = [[0, np.inf]]
        evaluation.params.areaRngLbl = ['all']
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _are_extra(matches: dict) -> np.ndarray:
    """Mark detections of an image that match no label, neither a crowd."""
    return (matches['dtMatches'][0] == 0) & ~matches['dtIgnore'][0].astype(bool)


def _match(
    images: list[dict], labels: list[dict], results: list[dict], counted: set[int]
) -> dict:
    """Match detections to labels; count found people, by ID, and extra detections."""
    if not results:
        return dict(found=0, extra=0, ap50=0.0)
    evaluation = _evaluate(images, labels, results)
    found = extra = 0
    for image in filter(None, evaluation.evalImgs):
        # 0 if unmatched
        matched = np.array(image['gtIds'], int)[image['gtMatches'][0] != 0]
        found += len(counted.intersection(matched.tolist()))
        extra += int(_are_extra(image).sum())
    precision = evaluation.eval['precision']
    return dict(found=found, extra=extra, ap50=round(float(precision.mean()), 3))


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: evaluate(args))


if __name__ == '__main__':
    main()
