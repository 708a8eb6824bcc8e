"""COCO keypoints: annotations (a dict) and results (a list of people).

CVAT, Label Studio and Roboflow export annotations, and mmhot writes them. Results, as
AlphaPose writes them, are the list ``annotations`` alone; they omit images without
people::

    {"images": [{"id": 1, "file_name": "frame_07.png", "width": 640, "height": 480}],
     "annotations": [{"image_id": 1, "category_id": 1, "bbox": [571, 52, 117, 349],
                      "keypoints": [612, 110, 2, ...], "attributes": {"track_id": 0}}],
     "categories": [{"id": 1, "name": "person", "keypoints": ["nose", ...]}]}

:func:`number_frames` numbers the frames. Objects that are not people are left out.
"""

import logging
import re
from pathlib import Path
from typing import TypeGuard

import numpy as np

from mmhot.io.arrays import as_numbers
from mmhot.io.readers.documents import gather, single
from mmhot.io.readers.frame_numbers import number_frames
from mmhot.io.readers.people import Person, people_of
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.rows import Rows

_LOGGER = logging.getLogger(__name__)
_COCO = get_skeleton('coco-17')
_PERSON_ID = 1
_PERSON_WORDS = re.compile(r'\b(persons?|people|humans?|pedestrians?)\b', re.IGNORECASE)


def is_coco(document: object) -> TypeGuard[list | dict]:
    """Return whether decoded JSON is COCO results or annotations."""
    if isinstance(document, dict):
        return 'annotations' in document and 'images' in document
    return isinstance(document, list) and any(
        isinstance(item, dict) and {'image_id', 'keypoints'} <= item.keys()
        for item in document
    )


def read_coco(document: list | dict, path: Path) -> Rows:
    """Convert decoded annotations or results to rows.

    Args:
        document (list | dict): Decoded JSON, see :func:`is_coco`.
        path (Path): Path of the file, for messages.

    Returns:
        Rows: The people, with values that are not checked.

    Raises:
        ValueError: If there are no people with keypoints, or several videos.
    """
    if isinstance(document, list):
        images = [{'id': item['image_id']} for item in document]
        document = {'annotations': document, 'images': images}
    else:
        for item in document['annotations']:
            item.pop('id', None)  # It numbers annotations, not people.
    images = [{**x, 'id': _image_id(x['id'])} for x in document['images']]
    categories = document.get('categories') or [{}]
    persons = [x for x in categories if _PERSON_WORDS.search(x.get('name', ''))]
    persons = persons or categories  # Other names may also stand for people.
    people = _people_of(document['annotations'], persons, images, path)
    frames = number_frames(images, path)
    pairs = [
        (frames[_image_id(x['image_id'])], _person(x))
        for x in people
        if x.get('keypoints') and x.get('num_keypoints') != 0  # others have only a box
    ]
    info = document.get('info') or {}
    names = (x['keypoints'] for x in persons if x.get('keypoints'))
    header = {'joint_names': next(names, None), 'fps': info.get('fps')}
    sizes = {(single(x, 'width'), single(x, 'height')) for x in images}
    if len(sizes) == 1:
        [(width, height)] = sizes
        header |= {'width': width, 'height': height}
    rows = gather(pairs, header)
    if rows.joint_names is None and rows.points.shape[1] == len(_COCO.joints):
        rows.skeleton = _COCO.name
    steps = (info.get('steps') or {}).items()
    rows.steps = {str(name): dict(options or {}) for name, options in steps}
    return rows


def _people_of(
    objects: list[dict], persons: list[dict], images: list[dict], path: Path
) -> list[dict]:
    """Return the objects of the categories ``persons`` whose image is in ``images``."""
    ids = {category.get('id', _PERSON_ID) for category in persons}
    people = [x for x in objects if x.get('category_id') in {None, *ids}]
    if lost := len(objects) - len(people):
        _LOGGER.warning(
            '%s: %d of %d objects are left out: people have category_id %s',
            path,
            lost,
            len(objects),
            ', '.join(map(str, sorted(ids))),
        )
    known = {image['id'] for image in images}
    listed_people = [x for x in people if _image_id(x['image_id']) in known]
    if lost := len(people) - len(listed_people):
        _LOGGER.warning(
            '%s: %d people are left out: the file does not list their images',
            path,
            lost,
        )
    return listed_people


def _image_id(value: object) -> int | str:
    """Convert an ID to a whole number, or to text if it is a file name."""
    text = str(value).strip()
    return int(text) if re.fullmatch(r'-?[0-9]+', text) else text


def _person(annotation: dict) -> Person:
    """Read an annotation or result; its box is x, y, width and height in pixels."""
    box = as_numbers('bbox', annotation.get('bbox') or [np.nan] * 4).ravel()
    box[2:] += box[:2]
    # CVAT writes track IDs as attributes.
    attributes = annotation.get('attributes') or {}
    [person] = people_of([{**attributes, **annotation, 'bbox': box}])
    return person
