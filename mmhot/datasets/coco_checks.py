"""Faults of annotation files in COCO's format, found before a training starts."""

import reprlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmhot.compat.coco_evaluation import person_fault

# Part of the image's larger side by which a labeled keypoint may lie outside, and of
# each side by which a box of (x, y, width, height) may.
_MAX_OUTSIDE, _MAX_BEYOND = 0.05, 0.1


@dataclass(frozen=True)
class CocoNeeds:
    """What a dataset or metric needs of an annotation file."""

    num_keypoints: int | None = None  # of the model; None: boxes only
    parts: Sequence[str] = ()  # fields that hold the keypoints
    fields: Sequence[str] = ()  # of each annotation, besides those always needed
    classes: Sequence[str] = ()  # names of the categories of a detector


def coco_faults(content: Any, needs: CocoNeeds) -> Iterator[str]:
    """Yield one line for each kind of fault of a decoded file: annotation, field, text.

    People that MMPose leaves out (crowds, no labeled keypoint) may have any numbers.
    """
    for key in ('images', 'annotations'):
        items = content.get(key) if isinstance(content, dict) else None
        if not isinstance(items, list) or not all(isinstance(x, dict) for x in items):
            yield f'{key!r} must be a list of objects, as in COCO'
            return
    needed = {*needs.parts[:1]}  # MMPose leaves out the others
    annotations = [ann for ann in content['annotations'] if needed <= ann.keys()]
    if needs.parts and not any('bbox' in ann for ann in annotations):
        yield "no usable person: no annotation has 'bbox' and 'keypoints'"
        return
    fault = _find_image_fault(content['images'])
    if fault:
        yield fault
        return
    categories = content.get('categories')
    categories = categories if isinstance(categories, list) else ()
    known = {category.get('id'): category.get('name') for category in categories}
    sizes = {
        image['id']: (image['width'], image['height']) for image in content['images']
    }
    seen, found, use_area = set(), {}, 'area' in needs.fields
    for number, ann in enumerate(annotations, 1):
        fault = _find_field_fault(ann, needs)
        fault = fault or _find_reference_fault(ann, sizes, known, seen)
        if fault is not None:  # numbers cannot be computed
            name = ann.get('id')
            yield f'annotation {f"no. {number}" if name is None else name}, {fault}'
            return
        seen.add(ann['id'])
        if _is_used(ann, needs, known):
            fault = person_fault(ann, needs.parts, use_area)
            fault = fault or _find_value_fault(ann, sizes[ann['image_id']], needs.parts)
            found.setdefault(fault, []).append(ann)
    if not found:
        what = 'keypoint of visibility 1 or 2' if needs.parts else 'box of its classes'
        yield f"no usable person: none has a {what} and an 'iscrowd' of 0"
    found.pop(None, None)
    for (field, text), (ann, *others) in found.items():
        more = f' (and {len(others)} more annotations)' if others else ''
        yield f'annotation {ann["id"]}, {field!r}: {text.format(ann[field])}{more}'


def _find_image_fault(images: list[dict]) -> str | None:
    """Describe the first field of an image that is missing or of another type."""
    for number, image in enumerate(images, 1):
        for field, kind in dict(id=int, file_name=str, width=int, height=int).items():
            value = image.get(field)
            if type(value) is not kind or (field in ('width', 'height') and value < 1):
                wanted = 'text' if kind is str else 'a whole number'
                name = image.get('id', f'no. {number}')
                return f'image {name}, {field!r}: got {value!r}, wanted {wanted}'
    if len({image['id'] for image in images}) < len(images):
        return "two images have the same 'id'"
    return None


def _find_field_fault(ann: dict, needs: CocoNeeds) -> str | None:
    lists, numbers = ('bbox', *needs.parts), ('iscrowd', 'num_keypoints', 'area')
    for field in ('id', 'image_id', 'category_id', *lists, *needs.fields):
        if ann.get(field) is None:
            state = 'null' if field in ann else 'missing'
            return f'{field!r}: is {state}, and is needed'
    for field in (*lists, *numbers):
        values = ann[field] if field in lists else [ann.get(field, 0)]
        if not isinstance(values, list) or not {*map(type, values)} <= {int, float}:
            wanted = 'a list of numbers' if field in lists else 'a number'
            return f'{field!r}: got {reprlib.repr(ann[field])}, wanted {wanted}'
    if len(ann['bbox']) != 4:
        return f"'bbox': has {len(ann['bbox'])} numbers, wanted x, y, width, height"
    total, count = sum(len(ann[part]) for part in needs.parts), needs.num_keypoints or 0
    if total != 3 * count:
        return (
            f"'{'+'.join(needs.parts)}': has {total} numbers, wanted {3 * count}, for "
            f'the {count} keypoints of the model'
        )
    return None


def _find_reference_fault(
    ann: dict, images: Collection, categories: Collection, seen: Collection
) -> str | None:
    if ann['image_id'] not in images:
        return f"'image_id': there is no image {ann['image_id']!r}"
    if categories and ann['category_id'] not in categories:
        return f"'category_id': there is no category {ann['category_id']!r}"
    return "'id': two annotations have it" if ann['id'] in seen else None


def _is_used(ann: dict, needs: CocoNeeds, categories: dict) -> bool:
    """Return whether MMPose or MMDetection uses an annotation."""
    if ann.get('iscrowd'):
        return False
    if needs.parts:
        codes = [code for part in needs.parts for code in ann[part][2::3]]
        # NaN is a fault, which is reported
        return ann.get('num_keypoints', 1) != 0 and any(not x <= 0 for x in codes)
    return not needs.classes or categories.get(ann['category_id']) in needs.classes


def _find_value_fault(
    ann: dict, image_size: tuple[int, int], parts: Sequence[str]
) -> tuple[str, str] | None:
    """Return field and text of the first fault of finite keypoints and box."""
    size, margin = np.array(image_size), _MAX_OUTSIDE * max(image_size)
    points = np.array([x for part in parts for x in ann[part]], float).reshape(-1, 3)
    codes, seen = points[:, 2], points[points[:, 2] > 0, :2]
    is_code = np.isin(codes, (0, 1, 2)) if len(parts) == 1 else codes >= 0
    if not is_code.all():
        text = 'visibility must be 0 (not labeled), 1 (hidden) or 2 (visible)'
    elif len(seen) > 1 and (seen <= 1).all():
        text = 'are normalized to 0..1, or all 0: wanted pixels'
    elif (seen == 0).all(-1).sum() > 1:
        text = 'several labeled ones lie at (0, 0): wanted visibility 0 if not labeled'
    elif ((seen < -margin) | (seen > size + margin)).any():
        text = 'a labeled one lies outside of the image'
    else:
        return _find_box_fault(ann, seen, size)
    return 'keypoints', text


def _find_box_fault(
    ann: dict, seen: np.ndarray, size: np.ndarray
) -> tuple[str, str] | None:
    corner, sides = np.array(ann['bbox'], float).reshape(2, 2)
    end, near = corner + sides, abs(seen - (corner + sides / 2)) <= sides
    is_beyond = (end > (1 + _MAX_BEYOND) * size).any()
    is_away = len(seen) > 1 and not near.all(-1).any()
    if (sides <= 0).any():
        text = 'has no width or height'
    elif max(ann['bbox']) <= 1:
        text = 'is normalized to 0..1'
    elif is_beyond and ((sides > corner) & (sides <= size + 1)).all():
        text = 'looks like x1, y1, x2, y2'
    elif is_away or (corner >= size).any() or (end <= 0).any():
        text = 'is not around the person, or outside of the image'
    else:
        return None
    return 'bbox', f'{{0}} {text}: wanted x, y, width, height in pixels'


def image_faults(content: dict, folder: Path, read_all: bool = False) -> Iterator[str]:
    """Yield a line for each image of annotations that is missing or cannot be read.

    Annotations are without :func:`coco_faults`. By default only the first image is
    decoded, and the others must exist; ``read_all`` decodes all and compares sizes.
    """
    ids = {ann['image_id'] for ann in content['annotations']}
    images = [image for image in content['images'] if image['id'] in ids]
    for number, image in enumerate(images):
        path, wanted = folder / image['file_name'], (image['width'], image['height'])
        if not path.is_file():
            yield f"image {image['id']}, 'file_name': {path} does not exist"
        elif read_all or number == 0:
            data = np.fromfile(path, np.uint8)  # as MMCV reads it
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
            if pixels is None:
                yield f'image {image["id"]}: {path} cannot be read as an image'
            elif pixels.shape[1::-1] != wanted:
                yield (
                    f"image {image['id']}, 'width' and 'height': got {wanted}, but "
                    f'{path} has {pixels.shape[1::-1]}'
                )
