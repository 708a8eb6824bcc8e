"""Detectors of people against labeled boxes."""

import io
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from mmhot.errors import require_file
from mmhot.io.arrays import load_arrays, load_json
from mmhot.video.frames import VideoFile, read_image
from mmhot.video.people import Detector

_ENOUGH = 0.5  # intersection over union
_PERSON = 'person'


@dataclass
class BoxedPicture:
    """A picture in which people are labeled.

    Attributes:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        boxes (np.ndarray): Of people, x1, y1, x2, y2 in pixels, (P, 4).
        crowds (np.ndarray): bool (P,): whether it does not count who is found there.
    """

    image: np.ndarray
    boxes: np.ndarray
    crowds: np.ndarray


def read_boxed_pictures(annotations: Path, images: Path) -> Iterator[BoxedPicture]:
    """Read a COCO-style folder; its pictures one at a time.

    Args:
        annotations (Path): JSON with ``images`` and ``annotations``. Of several
            ``categories`` only the one called person counts.
        images (Path): Folder of the images.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If it is none of COCO's, names no images, or is not about people.
    """
    content = load_json(require_file(annotations))
    try:
        people = {image['id']: [] for image in content['images']}
        if not people:
            raise ValueError('it names no images')
        wanted = _categories(content)
        for person in content['annotations']:
            if wanted is not None and person['category_id'] not in wanted:
                continue
            x, y, width, height = map(float, person['bbox'])
            crowd = bool(person.get('iscrowd', 0))
            people[person['image_id']].append((x, y, x + width, y + height, crowd))
        paths = {
            image['id']: images / image['file_name'] for image in content['images']
        }
        rows = {key: np.array(own, float).reshape(-1, 5) for key, own in people.items()}
        for boxes in rows.values():
            _check(boxes[:, :4])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file with boxes of people ({error!r})'
        ) from error
    for path in paths.values():
        require_file(path)
    return (
        BoxedPicture(read_image(paths[key]), own[:, :4], own[:, 4] > 0)
        for key, own in rows.items()
    )


def read_boxed_film(film: Path, truth: Path, every: int) -> Iterator[BoxedPicture]:
    """Take frames of a film in which people's boxes are known, one at a time.

    Args:
        film (Path): The film.
        truth (Path): ``.npz`` of ``bbox_xyxy`` (N, 4) in pixels and the ``frame`` of
            each (N,); without the latter one a frame.
        every (int): Take every so-manieth frame.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the boxes cannot be read or are not of this film.
    """
    video = VideoFile(film)
    arrays = load_arrays(require_file(truth))
    boxes = arrays.get('bbox_xyxy')
    if boxes is None or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'{truth} has no array bbox_xyxy (N, 4)')
    frames = arrays.get('frame', np.arange(len(boxes)))
    try:
        _check(boxes)
    except ValueError as error:
        raise ValueError(f'{truth}: {error}') from error
    if frames.shape != boxes.shape[:1]:
        raise ValueError(f'{truth} has {len(boxes)} boxes and {len(frames)} frames')

    def pictures() -> Iterator[BoxedPicture]:
        index = -1
        for index, frame in enumerate(video):
            if index % every == 0:
                own = boxes[frames == index].astype(float)
                yield BoxedPicture(frame.image, own, np.zeros(len(own), bool))
        if len(frames) and frames.max() > index:
            raise ValueError(
                f'{truth} has a box in frame {frames.max()}, and {film} has '
                f'{index + 1} frames'
            )

    return pictures()


def count_found(detector: Detector, pictures: Iterable[BoxedPicture]) -> dict:
    """Look for the people in pictures.

    Somebody is found whose box and a found one, each used once, the surest first, have
    an intersection of half of their union, as COCO's AP50 has it. Boxes in crowds do
    not count.

    Args:
        detector (Detector): What finds people.
        pictures (Iterable[BoxedPicture]): Where.

    Returns:
        dict: Numbers of ``pictures`` and ``people``, how many of these were ``found``,
        and boxes of nobody who is labeled, ``extra``.
    """
    images, labels, results = [], [], []
    for number, picture in enumerate(pictures):
        images.append(dict(id=number))
        [(boxes, scores)] = detector([picture.image])
        labels += [
            _as_coco(number, box, iscrowd=int(crowd))
            for box, crowd in zip(picture.boxes, picture.crowds, strict=True)
        ]
        results += [
            _as_coco(number, box, score=float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
    labels = [dict(label, id=number) for number, label in enumerate(labels, start=1)]
    return {
        'pictures': len(images),
        'people': sum(not label['iscrowd'] for label in labels),
        **_match(images, labels, results),
    }


def _categories(content: dict) -> set | None:
    """Numbers of the categories that are people; None if all are."""
    categories = content.get('categories', [])
    if len(categories) < 2:
        return None
    people = {kind['id'] for kind in categories if kind['name'] == _PERSON}
    if not people:
        raise ValueError(f'no category is called {_PERSON}')
    return people


def _check(boxes: np.ndarray) -> None:
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError('boxes must be finite and not negative in size')


def _as_coco(number: int, box: np.ndarray, **more: object) -> dict:
    x1, y1, x2, y2 = map(float, box)
    width, height = x2 - x1, y2 - y1
    common = dict(image_id=number, category_id=1, area=width * height)
    return common | dict(bbox=[x1, y1, width, height]) | more


def _match(images: list[dict], labels: list[dict], results: list[dict]) -> dict:
    """Numbers of people found, and of boxes of nobody."""
    if not results:
        return dict(found=0, extra=0)
    truth = COCO()
    truth.dataset = dict(
        images=images, annotations=labels, categories=[dict(id=1, name=_PERSON)]
    )
    # it reports what it does
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), 'bbox')
        evaluation.params.iouThrs = np.array([_ENOUGH])
        evaluation.params.maxDets = [len(results)]
        evaluation.params.areaRng = [[0, np.inf]]
        evaluation.params.areaRngLbl = ['all']
        evaluation.evaluate()
    found = extra = 0
    for picture in filter(None, evaluation.evalImgs):
        counts = ~np.array(picture['gtIgnore'], bool)
        # 0 (pycocotools) or -1 (xtcocotools) is nobody's
        found += int((picture['gtMatches'][0][counts] > 0).sum())
        alone = picture['dtMatches'][0] <= 0
        extra += int((alone & ~picture['dtIgnore'][0].astype(bool)).sum())
    return dict(found=found, extra=extra)
