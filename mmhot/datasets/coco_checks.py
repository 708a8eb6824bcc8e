"""Faults of annotation files in COCO's format, found before a training starts."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
"""Fields of an annotation that hold the keypoints of COCO-WholeBody's parts."""
# Part of the image's larger side by which a labeled keypoint may lie outside, and of
# each side by which a box of (x, y, width, height) may.
_MAX_OUTSIDE, _MAX_BEYOND = 0.05, 0.1
# Boxes, and part of them, from which on fitting as (x1, y1, x2, y2) is no coincidence.
_MIN_CORNERS, _MOST = 3, 0.8


@dataclass(frozen=True)
class CocoNeeds:
    """What a dataset or metric needs of an annotation file.

    Attributes:
        num_keypoints (int, optional): Keypoints of the model, K. None: boxes only.
        parts (Sequence[str]): Fields that hold the keypoints.
        fields (Sequence[str]): Fields of each annotation, besides those always needed.
        classes (Sequence[str]): Names of the categories of a detector.
    """

    num_keypoints: int | None = None
    parts: Sequence[str] = ()
    fields: Sequence[str] = ()
    classes: Sequence[str] = ()


def coco_faults(content: Any, needs: CocoNeeds) -> Iterator[str]:
    """Yield one line for each kind of fault: annotation, field, what is expected.

    People that MMPose leaves out (crowds, no labeled keypoint) may have any numbers.

    Args:
        content (Any): The decoded file.
        needs (CocoNeeds): What it is read for.
    """
    for key in ('images', 'annotations'):
        items = content.get(key) if isinstance(content, dict) else None
        if not isinstance(items, list) or not all(isinstance(x, dict) for x in items):
            yield f'{key!r} must be a list of objects, as in COCO'
            return
    images, found = content['images'], False
    for fault in _image_faults(images):
        found = True
        yield fault
    if found:
        return
    sizes = {image['id']: (image['width'], image['height']) for image in images}
    annotations = content['annotations']
    if needs.parts:  # MMPose leaves out the others
        with_both = ({'bbox', needs.parts[0]} <= ann.keys() for ann in annotations)
        if not any(with_both):
            yield "no usable person: no annotation has 'bbox' and 'keypoints'"
            return
        annotations = [ann for ann in annotations if needs.parts[0] in ann]
    for fault in _structure_faults(annotations, sizes, content, needs):
        found = True
        yield fault
    if not found:
        people = _read_people(annotations, sizes, content, needs)
        yield from _value_faults(people, needs)


def _image_faults(images: list[dict]) -> Iterator[str]:
    kinds = dict(id=int, file_name=str, width=int, height=int)
    for number, image in enumerate(images, 1):
        for field, kind in kinds.items():
            value = image.get(field)
            is_wrong = not isinstance(value, kind) or isinstance(value, bool)
            if is_wrong or (field in ('width', 'height') and value < 1):
                name = (
                    f'image {image["id"]}' if 'id' in image else f'image no. {number}'
                )
                wanted = 'text' if kind is str else 'a whole number'
                yield f'{name}, {field!r}: got {value!r}, wanted {wanted}'
                return
    if len({image['id'] for image in images}) < len(images):
        yield "two images have the same 'id'"


def _structure_faults(
    annotations: list[dict], sizes: Mapping, content: dict, needs: CocoNeeds
) -> Iterator[str]:
    """Yield a fault of types and references, after which numbers can be computed."""
    known = content.get('categories')
    known = {x.get('id') for x in known} if isinstance(known, list) else None
    seen = set()
    for number, ann in enumerate(annotations, 1):
        fault = _field_fault(ann, needs) or _length_fault(ann, needs)
        if fault is None and ann['image_id'] not in sizes:
            fault = f"'image_id': there is no image {ann['image_id']!r}"
        if fault is None and known and ann['category_id'] not in known:
            fault = f"'category_id': there is no category {ann['category_id']!r}"
        if fault is None and ann['id'] in seen:
            fault = "'id': two annotations have it"
        if fault is not None:
            name = ann.get('id')
            yield f'annotation {f"no. {number}" if name is None else name}, {fault}'
            return
        seen.add(ann['id'])


def _field_fault(ann: dict, needs: CocoNeeds) -> str | None:
    """Describe a field that is missing, null or of another type."""
    lists = ('bbox', *needs.parts)
    for field in ('id', 'image_id', 'category_id', *lists, *needs.fields):
        if ann.get(field) is None:
            return (
                f'{field!r}: is {"null" if field in ann else "missing"}, and is needed'
            )
    for field in ('iscrowd', 'num_keypoints', 'area'):
        value = ann.get(field, 0)
        if not isinstance(value, int | float):
            return f'{field!r}: got {value!r}, wanted a number'
    for field in lists:
        values = ann[field]
        if not isinstance(values, list) or not {*map(type, values)} <= {int, float}:
            return f'{field!r}: must be one list of numbers'
    return None


def _length_fault(ann: dict, needs: CocoNeeds) -> str | None:
    """Describe a wrong number of numbers."""
    if len(ann['bbox']) != 4:
        return f"'bbox': has {len(ann['bbox'])} numbers, wanted x, y, width, height"
    total, count = sum(len(ann[part]) for part in needs.parts), needs.num_keypoints or 0
    if total == 3 * count:
        return None
    return (
        f"'{'+'.join(needs.parts)}': has {total} numbers, wanted {3 * count}, for the "
        f'{count} keypoints of the model'
    )


@dataclass
class _People:
    """Numbers of N annotations.

    Attributes:
        annotations (list[dict]): The annotations.
        boxes (np.ndarray): x, y, width and height of the bounding boxes, (N, 4).
        size (np.ndarray): Width and height of the images, (N, 2).
        area (np.ndarray): Areas, (N,).
        points (np.ndarray): x, y and visibility of the keypoints, (N, K, 3).
        used (np.ndarray): Whether a training uses them, (N,).
    """

    annotations: list[dict]
    boxes: np.ndarray
    size: np.ndarray
    area: np.ndarray
    points: np.ndarray
    used: np.ndarray

    def report(self, wrong: np.ndarray, field: str, text: str) -> Iterator[str]:
        """Yield a line if a row is wrong; {0} of the text is the value."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            ann = self.annotations[rows[0]]
            more = f' (and {len(rows) - 1} more annotations)' if len(rows) > 1 else ''
            yield f'annotation {ann["id"]}, {field!r}: {text.format(ann[field])}{more}'


def _read_people(
    annotations: list[dict], sizes: Mapping, content: dict, needs: CocoNeeds
) -> _People:
    n, parts = len(annotations), needs.parts
    if len(parts) == 1:  # without copies, which take seconds for COCO
        values = [ann[parts[0]] for ann in annotations]
    else:
        values = [[x for part in parts for x in ann[part]] for ann in annotations]
    points = np.array(values, float).reshape(n, needs.num_keypoints or 0, 3)
    used = np.array([not ann.get('iscrowd') for ann in annotations], bool)
    if parts:
        counted = [ann.get('num_keypoints', 1) != 0 for ann in annotations]
        used &= (points[..., 2] > 0).any(1) & np.array(counted, bool)
    elif needs.classes:
        categories = content.get('categories') or ()
        wanted = {x['id'] for x in categories if x.get('name') in needs.classes}
        used &= np.array([ann['category_id'] in wanted for ann in annotations], bool)
    return _People(
        annotations,
        np.array([ann['bbox'] for ann in annotations], float).reshape(n, 4),
        np.array([sizes[ann['image_id']] for ann in annotations], float).reshape(n, 2),
        np.array([ann.get('area', 1) for ann in annotations], float),
        points,
        used,
    )


def _value_faults(people: _People, needs: CocoNeeds) -> Iterator[str]:
    """Yield faults of boxes and keypoints."""
    not_finite, codes = 'has a number that is not finite', people.points[..., 2]
    yield from people.report(~np.isfinite(codes).all(1), 'keypoints', not_finite)
    yield from people.report(~np.isfinite(people.area), 'area', not_finite)
    numbers = np.isfinite(people.points).all((1, 2))
    yield from people.report(~numbers, 'keypoints', not_finite)
    yield from people.report(~np.isfinite(people.boxes).all(1), 'bbox', not_finite)
    is_code = np.isin(codes, (0, 1, 2)) if len(needs.parts) == 1 else codes >= 0
    yield from people.report(
        ~is_code.all(1),
        'keypoints',
        'visibility must be 0 (not labeled), 1 (hidden) or 2 (visible)',
    )
    if not people.used.any():
        what = 'keypoint of visibility 1 or 2' if needs.parts else 'box of its classes'
        yield f"no usable person: none has a {what} and an 'iscrowd' of 0"
        return
    if 'area' in needs.fields:
        is_zero = people.used & (people.area <= 0)
        text = 'got {0}, must be above 0, or any error is infinite'
        yield from people.report(is_zero, 'area', text)
    for find in (_keypoint_faults, _box_faults):
        yield from find(people)


def _keypoint_faults(people: _People) -> Iterator[str]:
    xy, labeled = people.points[..., :2], people.points[..., 2] > 0
    several = people.used & (labeled.sum(1) > 1)
    normalized = several & ((xy <= 1).all(-1) | ~labeled).all(1)
    text = 'are normalized to 0..1, or all 0: wanted pixels'
    yield from people.report(normalized, 'keypoints', text)
    at_zero = (labeled & (xy == 0).all(-1)).sum(1) > 1
    text = 'several labeled ones lie at (0, 0): wanted visibility 0 if not labeled'
    yield from people.report(several & at_zero & ~normalized, 'keypoints', text)
    margin = _MAX_OUTSIDE * people.size.max(1)[:, None, None]
    outside = (xy < -margin) | (xy > people.size[:, None] + margin)
    outside = people.used[:, None] & outside.any(-1) & labeled
    if outside.any():
        row, index = np.argwhere(outside)[0]
        text = (
            f'keypoint {index} at {xy[row, index].tolist()} lies outside of the image'
        )
        size = people.size[row].astype(int).tolist()
        yield from people.report(outside.any(1), 'keypoints', f'{text}, {size} pixels')


def _box_faults(people: _People) -> Iterator[str]:
    used, boxes, size = people.used, people.boxes, people.size
    corner, sides = boxes[:, :2], boxes[:, 2:]
    wanted = ': wanted x, y, width, height in pixels'
    empty = used & (sides <= 0).any(1)
    yield from people.report(empty, 'bbox', '{0} has no width or height' + wanted)
    normalized = used & ~empty & (boxes <= 1).all(1)
    text = '{0} is normalized to 0..1' + wanted
    yield from people.report(normalized, 'bbox', text)
    used = used & ~empty & ~normalized
    xy, labeled = people.points[..., :2], people.points[..., 2] > 0
    # a box (x1, y1, x2, y2) lies in the image and around all keypoints
    inside = ((xy >= boxes[:, None, :2] - 2) & (xy <= sides[:, None] + 2)).all(-1)
    corners = (sides > corner) & (sides <= size + 1) & (corner > 2)
    corners = used & corners.all(1) & (inside | ~labeled).all(1)
    if corners.sum() < max(_MIN_CORNERS, _MOST * used.sum()):
        corners &= (corner + sides > (1 + _MAX_BEYOND) * size).any(1)
    text = '{0} looks like x1, y1, x2, y2' + wanted
    yield from people.report(corners, 'bbox', text)
    near = np.abs(xy - (corner + sides / 2)[:, None]) <= sides[:, None]
    away = ~(near.all(-1) & labeled).any(1) & (labeled.sum(1) > 1)
    away |= (corner >= size).any(1) | (corner + sides <= 0).any(1)
    text = '{0} is not around the person, or outside of the image' + wanted
    yield from people.report(used & ~corners & away, 'bbox', text)


def image_faults(content: dict, folder: Path, read_all: bool = False) -> Iterator[str]:
    """Yield a line for each image of annotations that is missing or cannot be read.

    Args:
        content (dict): Annotations without :func:`coco_faults`.
        folder (Path): Folder of the images.
        read_all (bool): Whether to decode all, and to compare their sizes; by default
            only the first is decoded, and the others must be in their folders.
    """
    ids = {ann['image_id'] for ann in content['annotations']}
    images = [image for image in content['images'] if image['id'] in ids]
    names = {}  # of the files of a folder: much faster than a question for each
    for number, image in enumerate(images):
        path = folder / image['file_name']
        parent = path.parent
        if parent not in names:
            names[parent] = set(os.listdir(parent)) if parent.is_dir() else set()
        if path.name not in names[parent]:
            yield f"image {image['id']}, 'file_name': {path} does not exist"
        elif read_all or number == 0:
            found = _read_size(path)
            wanted = image['width'], image['height']
            if found is None:
                yield f'image {image["id"]}: {path} cannot be read as an image'
            elif found != wanted:
                yield (
                    f"image {image['id']}, 'width' and 'height': got {wanted}, but "
                    f'{path} has {found}'
                )


def _read_size(path: Path) -> tuple[int, int] | None:
    """Decode an image as MMCV does; return width and height, None if it fails."""
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if image is None else image.shape[1::-1]
