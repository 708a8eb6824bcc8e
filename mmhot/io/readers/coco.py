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
from mmhot.io.readers.rows import Rows, stack, stack_tracks

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
        frames = _frames(document, 'image_id', path)
        return _stack(_people(document, {_PERSON_ID}, path), frames, labeled=False)
    images = _dicts(document['images'])
    categories = _person_categories(document)
    wanted = {*categories} or {_PERSON_ID}
    people = _people(_dicts(document['annotations']), wanted, path)
    # others have a box only
    people = [x for x in people if x.get('keypoints') and x.get('num_keypoints') != 0]
    sizes = {(as_single(x, 'width'), as_single(x, 'height')) for x in images}
    width, height = sizes.pop() if len(sizes) == 1 else (None, None)
    return _stack(
        people,
        _frames(images, 'id', path),
        labeled=True,
        width=width,
        height=height,
        joint_names=_joint_names(categories),
    )


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


def _stack(
    people: list[dict], frames: dict[int | str, int], labeled: bool, **header: object
) -> Rows:
    """Stack people into rows.

    Args:
        people (list[dict]): Annotations or results.
        frames (dict): Frame numbers by image.
        labeled (bool): Whether the third number of a keypoint is its visibility: 0 (not
            labeled), 1 (labeled, but occluded) or 2.
        **header (object): Further fields of :class:`Rows`.
    """
    if not people:
        raise ValueError('holds no people')
    images = _image_ids(people, 'image_id')
    if unknown := [image for image in images if image not in frames]:
        raise ValueError(f"image {unknown[0]} is not among 'images'")
    values = stack(people, 'keypoints', images)
    if values is None or values.size % (3 * len(people)):
        third = 'visibility' if labeled else 'score'
        raise ValueError(f"'keypoints' must be K triples x, y, {third} of each person")
    values = values.reshape(len(people), -1, 3)
    scores = values[..., 2]
    boxes = stack(people, 'bbox', images, [np.nan] * 4)
    if boxes is not None:
        if boxes.shape != (len(people), 4):
            raise ValueError("'bbox' must be x, y, width, height")
        boxes[:, 2:] += boxes[:, :2]
    return Rows(
        values[..., :2],
        np.minimum(scores, 1) if labeled else scores,
        np.array([frames[image] for image in images]),
        stack_tracks(people),
        boxes,
        **header,
    )


def _joint_names(categories: dict[int, dict]) -> tuple[str, ...] | None:
    for category in categories.values():
        if isinstance(category.get('keypoints'), list):
            return tuple(map(str, category['keypoints']))
    return None
