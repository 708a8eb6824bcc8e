"""Reader of COCO keypoint results (a list of people) and annotations (a dict).

Images become frames in the order of their IDs. Results omit images without people;
where IDs are consecutive numbers with such gaps, the gaps are kept. Objects of other
categories than people are left out.
"""

import logging
import re
from pathlib import Path

import numpy as np

from mmhot.io.arrays import as_identity, as_numbers
from mmhot.io.readers.mmpose import natural_key, stack_people, track_of
from mmhot.io.readers.rows import Rows

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
        frames = _frames_of_results(
            [_image_id(p, 'image_id') for p in _dicts(document)]
        )
        people = _people(document, {_PERSON_ID}, path)
        return stack_people([_person(p, frames, labeled=False) for p in people])
    images = _dicts(document['images'])
    frames = _in_order([_image_id(image, 'id') for image in images])
    categories = _person_categories(document)
    wanted = {*categories} or {_PERSON_ID}
    people = _people(_dicts(document['annotations']), wanted, path)
    people = [person for person in people if _is_labeled(person)]
    sizes = {(_side(image, 'width'), _side(image, 'height')) for image in images}
    width, height = sizes.pop() if len(sizes) == 1 else (None, None)
    return stack_people(
        [_person(person, frames, labeled=True) for person in people],
        width=width,
        height=height,
        joint_names=_joint_names(categories),
    )


def _side(image: dict, key: str) -> int | None:
    return None if image.get(key) is None else as_identity(image[key], f"'{key}'")


def _person_categories(document: dict) -> dict[int, dict]:
    """Return the categories of people by ID; empty if the file lists none at all."""
    people, others = {}, []
    for item in _dicts(document.get('categories') or []):
        names = [item[key] for key in ('name', 'supercategory') if item.get(key)]
        words = set(re.findall('[a-z]+', ' '.join(map(str, names)).lower()))
        if not names or words & _PERSON_WORDS:
            people[as_identity(item.get('id', _PERSON_ID), "category 'id'")] = item
        else:
            others.append(str(names[0]))
    if others and not people:
        raise ValueError(f"has no category 'person', only {', '.join(others):.60}")
    return people


def _people(items: list[dict], categories: set[int], path: Path) -> list[dict]:
    """Select the objects of categories, and those without one."""
    ids = [item.get('category_id') for item in items]
    ids = [None if x is None else as_identity(x, "'category_id'") for x in ids]
    others = [x for x in ids if x is not None and x not in categories]
    wanted = ', '.join(map(str, sorted(categories)))
    if others and len(others) == len(items):
        raise ValueError(
            f'holds no person: category_id is {others[0]}, but people have {wanted}'
        )
    if others:
        message = '%s: %d of %d objects are left out: category_id is not %s, person'
        _LOGGER.warning(message, path, len(others), len(items), wanted)
    return [x for x, own in zip(items, ids, strict=True) if own in {None, *categories}]


def _dicts(items: object) -> list[dict]:
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise ValueError(
            'is not COCO: a list of {image_id, keypoints, ...} is expected'
        )
    return items


def _image_id(item: dict, key: str) -> int | str:
    value = item.get(key)
    if isinstance(value, str) and value and not value.strip().isdecimal():
        return value
    return as_identity(value, f"'{key}'")


def _frames_of_results(ids: list[int | str]) -> dict[int | str, int]:
    numbers = sorted({i for i in ids if isinstance(i, int)})
    if len(numbers) < len(set(ids)) or numbers[-1] - numbers[0] >= 2 * len(numbers):
        return _in_order(ids)
    return {number: number - numbers[0] for number in numbers}


def _in_order(ids: list[int | str]) -> dict[int | str, int]:
    ordered = sorted(set(ids), key=lambda value: natural_key(str(value)))
    return {value: frame for frame, value in enumerate(ordered)}


def _is_labeled(person: dict) -> bool:
    """Whether an annotation has keypoints, not only a box."""
    return bool(person.get('keypoints')) and person.get('num_keypoints') != 0


def _person(person: dict, frames: dict, *, labeled: bool) -> dict[str, object]:
    image = _image_id(person, 'image_id')
    where = f'image {image}:'
    if image not in frames:
        raise ValueError(f"{where} is not among 'images'")
    if person.get('keypoints') is None:
        raise ValueError(f"{where} a person without 'keypoints'")
    values = as_numbers(person['keypoints'], f'{where} keypoints').ravel()
    if not values.size or values.size % 3:
        raise ValueError(
            f'{where} keypoints are {values.size} numbers: K triples x, y, '
            f'{"visibility" if labeled else "score"} are expected'
        )
    values = values.reshape(-1, 3)
    # Visibility is 0 (not labeled), 1 (labeled, but occluded) or 2.
    scores = np.minimum(values[:, 2], 1) if labeled else values[:, 2]
    return {
        'frame': frames[image],
        'keypoints': values[:, :2],
        'scores': scores,
        'box': _box(person.get('bbox'), where),
        'track': track_of(person, where),
    }


def _box(value: object, where: str) -> np.ndarray | None:
    if value is None:
        return None
    box = as_numbers(value, f'{where} bbox')
    if box.shape != (4,):
        raise ValueError(f'{where} bbox must be x, y, width, height')
    return np.concatenate([box[:2], box[:2] + box[2:]])


def _joint_names(categories: dict[int, dict]) -> tuple[str, ...] | None:
    for category in categories.values():
        if isinstance(category.get('keypoints'), list):
            return tuple(map(str, category['keypoints']))
    return None
