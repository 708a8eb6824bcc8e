"""Detectors of people against labelled boxes."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from mmhot.io.existing import require_file
from mmhot.io.json_file import load_json
from mmhot.io.keypoints2d import read_keypoints
from mmhot.video.frames import VideoFile, read_image
from mmhot.video.people import Detector

_ENOUGH = 0.5  # intersection over union


@dataclass
class BoxedPicture:
    """A picture in which people are labelled.

    Attributes:
        read (Callable): Returns it, BGR, uint8 (H, W, 3).
        boxes (np.ndarray): Of people, x1, y1, x2, y2 in pixels, (P, 4).
        crowds (np.ndarray): bool (P,): whether it does not count who is found there.
    """

    read: Callable[[], np.ndarray]
    boxes: np.ndarray
    crowds: np.ndarray


def read_boxed_pictures(annotations: Path, images: Path) -> list[BoxedPicture]:
    """Read a COCO-style folder.

    Args:
        annotations (Path): JSON with ``images`` and ``annotations`` of people.
        images (Path): Folder of the images.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If it is none of COCO's.
    """
    content = load_json(require_file(annotations))
    try:
        people = {image['id']: [] for image in content['images']}
        for person in content['annotations']:
            x, y, width, height = map(float, person['bbox'])
            crowd = bool(person.get('iscrowd', 0))
            people[person['image_id']].append((x, y, x + width, y + height, crowd))
        names = {image['id']: str(image['file_name']) for image in content['images']}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file with boxes ({error!r})'
        ) from error
    return [
        _boxed(require_file(images / names[key]), np.array(rows, float).reshape(-1, 5))
        for key, rows in people.items()
    ]


def read_boxed_film(film: Path, keypoints: Path, every: int) -> list[BoxedPicture]:
    """Take frames of a film in which somebody's boxes are known.

    Args:
        film (Path): The film.
        keypoints (Path): Tracked 2D keypoints with boxes, as ``mmhot infer`` writes
            and reads them.
        every (int): Take every so-manieth frame.

    Raises:
        ValueError: If the keypoints come without boxes.
        OSError: If a file cannot be read.
    """
    boxes = {}
    for track in read_keypoints(keypoints).tracks:
        if track.bboxes is None:
            raise ValueError(f'{keypoints} has no boxes')
        for frame, box in zip(track.frames.tolist(), track.bboxes, strict=True):
            boxes.setdefault(frame, []).append(box)
    pictures = []
    for frame in VideoFile(film):
        if frame.index % every == 0:
            found = np.array(boxes.get(frame.index, []), float).reshape(-1, 4)
            crowds = np.zeros(len(found), bool)
            pictures.append(
                BoxedPicture(lambda image=frame.image: image, found, crowds)
            )
    return pictures


def count_found(detector: Detector, pictures: Sequence[BoxedPicture]) -> dict:
    """Look for the people in pictures.

    Somebody is found whose box and a found one, each used once, the surest first, share
    half of what both cover, as COCO's AP50 has it. Boxes in crowds do not count.

    Args:
        detector (Detector): What finds people.
        pictures (Sequence[BoxedPicture]): Where.

    Returns:
        dict: Numbers of ``pictures`` and ``people``, how many of these were ``found``,
        and boxes of nobody who is labelled, ``extra``.
    """
    labels, results = [], []
    for number, picture in enumerate(pictures):
        [(boxes, scores)] = detector([picture.read()])
        labels += [
            _as_coco(number, box, id=0, iscrowd=int(crowd))
            for box, crowd in zip(picture.boxes, picture.crowds, strict=True)
        ]
        results += [
            _as_coco(number, box, score=float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
    for number, label in enumerate(labels, start=1):
        label['id'] = number
    images = [dict(id=number) for number in range(len(pictures))]
    matched = _match(images, labels, results)
    return {
        'pictures': len(pictures),
        'people': sum(not label['iscrowd'] for label in labels),
        'found': matched['found'],
        'extra': matched['extra'],
    }


def _boxed(path: Path, rows: np.ndarray) -> BoxedPicture:
    return BoxedPicture(lambda: read_image(path), rows[:, :4], rows[:, 4] > 0)


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
        images=images, annotations=labels, categories=[dict(id=1, name='person')]
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
        # -1 is nobody's
        found += int((picture['gtMatches'][0][counts] >= 0).sum())
        alone = picture['dtMatches'][0] < 0
        extra += int((alone & ~picture['dtIgnore'][0].astype(bool)).sum())
    return dict(found=found, extra=extra)
