"""Reader of COCO keypoint results (a list of people) and annotations (a dict).

Images become frames by :func:`number_frames`; results omit images without people.
Objects of other categories than people are left out.
"""

import logging
import re
from pathlib import Path
from typing import TypeGuard

import numpy as np

from mmhot.io.readers.frame_numbers import number_frames
from mmhot.io.readers.mmpose import as_single
from mmhot.io.readers.rows import (
    Rows,
    stack,
    stack_boxes,
    stack_keypoints,
    stack_tracks,
)

_LOGGER = logging.getLogger(__name__)
_PERSON_ID = 1
_PERSON_WORDS = re.compile(r'\b(persons?|people|humans?|pedestrians?)\b', re.IGNORECASE)


def is_coco(document: object) -> TypeGuard[list | dict]:
    """Whether decoded JSON is COCO results or annotations."""
    if isinstance(document, dict):
        return 'annotations' in document and 'images' in document
    return isinstance(document, list) and any(
        isinstance(item, dict) and 'image_id' in item for item in document
    )


def read_coco(document: list | dict, path: Path) -> Rows:
    """Convert the decoded JSON of a file to rows; values are not checked."""
    if isinstance(document, list):
        images = [{'id': item['image_id']} for item in document]
        return _stack(_people(document, {_PERSON_ID}, path), images, path)
    images = document['images']
    categories = document.get('categories') or [{}]
    own = [x for x in categories if _PERSON_WORDS.search(x.get('name', ''))]
    own = own or categories
    wanted = {item.get('id', _PERSON_ID) for item in own}
    people = _people(document['annotations'], wanted, path)
    # others have a box only
    people = [x for x in people if x.get('keypoints') and x.get('num_keypoints') != 0]
    # of annotations, `id` is their own number
    people = [{k: v for k, v in x.items() if k != 'id'} for x in people]
    rows = _stack(people, images, path)
    sizes = {(as_single(x, 'width'), as_single(x, 'height')) for x in images}
    if len(sizes) == 1:
        rows.width, rows.height = sizes.pop()
    names = [item['keypoints'] for item in own if item.get('keypoints')]
    rows.joint_names = tuple(map(str, names[0])) if names else None
    info = document.get('info') or {}
    rows.fps, steps = as_single(info, 'fps'), info.get('steps') or ()
    if not isinstance(steps, dict):  # a list of names in mmhot 0.2
        steps = dict.fromkeys(steps)
    rows.steps = {str(name): dict(steps[name] or {}) for name in steps}
    return rows


def _people(items: list[dict], categories: set[int], path: Path) -> list[dict]:
    """Select the objects of categories, and those without one."""
    people = [x for x in items if x.get('category_id') in {None, *categories}]
    if len(people) < len(items):
        _LOGGER.warning(
            '%s: %d of %d objects are left out: category_id is not %s, person',
            path,
            len(items) - len(people),
            len(items),
            ', '.join(map(str, sorted(categories))),
        )
    return people


def _image_id(value: object) -> int | str:
    """Return a whole number, also of text, or a file name."""
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f'image IDs must be whole numbers or names, got {value}')
    text = str(int(value) if isinstance(value, float) else value).strip()
    return int(text) if re.fullmatch(r'-?[0-9]+', text) else text


def _stack(people: list[dict], images: list[dict], path: Path) -> Rows:
    """Stack annotations or results, whose keypoints have a third number."""
    values = stack_keypoints(people)
    if values.size % (3 * len(people)):
        raise ValueError("'keypoints' must be K triples x, y, score of each person")
    values = values.reshape(len(people), -1, 3)
    boxes = stack_boxes(people)
    if boxes is not None:
        boxes[:, 2:] += boxes[:, :2]
    frames = number_frames([{**x, 'id': _image_id(x['id'])} for x in images], path)
    used = [_image_id(person['image_id']) for person in people]
    unknown = [each for each in used if each not in frames]
    if unknown:
        raise ValueError(f'has people of image {unknown[0]!r}, which is not listed')
    numbers = np.array([frames[each] for each in used])
    tracks = stack_tracks(people, numbers)
    if tracks is None:  # CVAT's
        attributes = [person.get('attributes') or {} for person in people]
        tracks = stack_tracks(attributes, numbers)
    # 0 is not labeled, 1 is labeled but occluded, 2 is visible
    scores, own = np.minimum(values[..., 2], 1), stack(people, 'keypoint_scores')
    if own is not None and own.shape == scores.shape:  # of this package
        scores = np.where(scores > 0, np.nan_to_num(own, nan=1.0), 0)
    return Rows(values[..., :2], scores, numbers, tracks, boxes)
