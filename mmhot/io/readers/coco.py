"""Reader of COCO keypoint results (a list of people) and annotations (a dict).

Images become frames by :func:`number_frames`; results omit images without people.
Objects of other categories than people are left out.
"""

import logging
import re
from pathlib import Path

import numpy as np

from mmhot.io.arrays import brief
from mmhot.io.readers.frame_numbers import number_frames
from mmhot.io.readers.mmpose import as_single
from mmhot.io.readers.rows import Rows, stack_boxes, stack_keypoints, stack_tracks

_LOGGER = logging.getLogger(__name__)
_PERSON_ID = 1
_PERSON_WORDS = {'person', 'persons', 'people', 'human', 'humans', 'pedestrian'}


def is_coco(document: object) -> bool:
    """Whether decoded JSON is COCO results or annotations."""
    if isinstance(document, dict):
        return 'annotations' in document and 'images' in document
    return isinstance(document, list) and any(
        isinstance(item, dict) and 'image_id' in item for item in document
    )


def read_coco(document: list | dict, path: Path) -> Rows:
    """Convert the decoded JSON of a file to rows; only shapes are checked."""
    if isinstance(document, list):
        people = _people(_dicts(document), {_PERSON_ID}, path)
        return _stack(people, _frames(document, 'image_id', path), 'score')
    images = _dicts(document['images'])
    categories = _person_categories(document)
    wanted = {*categories} or {_PERSON_ID}
    people = _people(_dicts(document['annotations']), wanted, path)
    # others have a box only
    people = [x for x in people if x.get('keypoints') and x.get('num_keypoints') != 0]
    rows = _stack(people, _frames(images, 'id', path), 'visibility')
    # 0 is not labeled, 1 is labeled but occluded, 2 is visible
    rows.scores = np.minimum(rows.scores, 1)
    sizes = {(as_single(x, 'width'), as_single(x, 'height')) for x in images}
    if len(sizes) == 1:
        rows.width, rows.height = sizes.pop()
    names = [item.get('keypoints') for item in categories.values()]
    names = next((x for x in names if isinstance(x, list)), None)
    rows.joint_names = names and tuple(map(str, names))
    return rows


def _person_categories(document: dict) -> dict[int, dict]:
    """Return the categories of people by ID; empty if the file lists none at all."""
    people, others = {}, []
    for item in _dicts(document.get('categories') or []):
        names = [item[key] for key in ('name', 'supercategory') if item.get(key)]
        words = set(re.findall('[a-z]+', ' '.join(map(str, names)).lower()))
        if not names or words & _PERSON_WORDS:
            people[item.get('id', _PERSON_ID)] = item
        else:
            others.append(str(names[0]))
    if others and not people:
        raise ValueError(f"has no category 'person', only {', '.join(others):.60}")
    return people


def _people(items: list[dict], categories: set[int], path: Path) -> list[dict]:
    """Select the objects of categories, and those without one."""
    wanted = ', '.join(map(str, sorted(categories)))
    others = [x for x in items if x.get('category_id') not in {None, *categories}]
    if others and len(others) == len(items):
        raise ValueError(
            f'holds no person: category_id is {brief(others[0]["category_id"])}, but '
            f'people have {wanted}'
        )
    if others:
        message = '%s: %d of %d objects are left out: category_id is not %s, person'
        _LOGGER.warning(message, path, len(others), len(items), wanted)
    return [x for x in items if x.get('category_id') in {None, *categories}]


def _dicts(items: object) -> list[dict]:
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise ValueError(
            'is not COCO: a list of {image_id, keypoints, ...} is expected'
        )
    return items


def _image_ids(items: list[dict], key: str) -> list[int | str]:
    """Return IDs of images: numbers, also as text, or file names."""
    ids = [item.get(key) for item in items]
    for value in ids:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"'{key}' must be a number or name, got {brief(value)}")
    return [int(x) if str(x).strip().isdecimal() else x for x in ids]


def _frames(items: list[dict], key: str, path: Path) -> dict[int | str, int]:
    """Return frame numbers by image."""
    ids = _image_ids(_dicts(items), key)
    images = [{**item, 'id': image} for item, image in zip(items, ids, strict=True)]
    return number_frames(images, path)


def _stack(people: list[dict], frames: dict[int | str, int], third: str) -> Rows:
    """Stack annotations or results whose third number of a keypoint is ``third``."""
    images = _image_ids(people, 'image_id')
    if unknown := [image for image in images if image not in frames]:
        raise ValueError(f"image {unknown[0]} is not among 'images'")
    values = stack_keypoints(people, images)
    if values.size % (3 * len(people)):
        raise ValueError(f"'keypoints' must be K triples x, y, {third} of each person")
    values = values.reshape(len(people), -1, 3)
    boxes = stack_boxes(people, images)
    if boxes is not None:
        boxes[:, 2:] += boxes[:, :2]
    numbers = np.array([frames[image] for image in images])
    return Rows(values[..., :2], values[..., 2], numbers, stack_tracks(people), boxes)
