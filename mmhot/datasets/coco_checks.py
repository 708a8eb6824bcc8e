"""Faults of annotation files in COCO's format, found before a training starts.

All checks of such files are here, except for numbers that an evaluation would count
wrongly, which :func:`mmhot.compat.coco_evaluation.person_fault` finds.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmpose.datasets import CocoWholeBodyDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.structures.bbox import bbox_overlaps

from mmhot.compat.coco_evaluation import PARTS, person_fault
from mmhot.errors import naming
from mmhot.io.arrays import load_json
from mmhot.skeletons.joints import spell_joint

MAX_ANNOTATIONS = 2 << 30
"""Largest file of annotations in bytes."""

# Largest distance of a box's end from the image, as a share of its side. Ranges are
# those of the tests' annotations: 0 to 1 of it find the same faults.
_MAX_BEYOND = 0.1
# Boxes are x1, y1, x2, y2 if all of them overlap the keypoints better that way, and
# their median overlap grows by at least this factor. 1.05 to 2.5 find the same faults.
_CORNER_GAIN = 1.25
# Least median intersection over union of these boxes and the keypoints. .4 to .7 find
# the same faults.
_CORNER_OVERLAP = 0.5


@dataclass(frozen=True)
class CocoNeeds:
    """Content that a dataset or metric needs in an annotation file."""

    joints: Sequence[str]  # names of the model's keypoints
    parts: Sequence[str]  # fields that hold the keypoints
    fields: Sequence[str] = ()  # further fields that each annotation must have


def needs_of(dataset: Any, metrics: Sequence[Any] = ()) -> CocoNeeds | None:
    """Return the content that a dataset needs in its annotation file.

    Args:
        dataset (Dataset): Dataset of MMPose; others have no needs.
        metrics (Sequence[BaseMetric]): Metrics of its evaluation.

    Returns:
        CocoNeeds | None: None if the dataset does not read COCO's format.
    """
    load = getattr(type(dataset), '_load_annotations', None)
    if load is not BaseCocoStyleDataset._load_annotations:
        return None
    names = dataset.metainfo['keypoint_id2name']
    joints = tuple(names[index] for index in range(len(names)))
    if isinstance(dataset, CocoWholeBodyDataset):
        fields = ['area', 'iscrowd', 'num_keypoints', 'segmentation']
        return CocoNeeds(joints, PARTS, fields)
    fields = []
    if any(getattr(metric, 'use_area', False) for metric in metrics):
        fields.append('area')
    if any(getattr(x, 'iou_type', '') == 'keypoints_crowd' for x in metrics):
        fields.append('num_keypoints')
    return CocoNeeds(joints, PARTS[:1], fields)


def annotation_faults(dataset: Any, metrics: Sequence[Any] = ()) -> list[str]:
    """Describe each kind of fault of a dataset's annotations.

    Returns:
        list[str]: One line for each kind of fault; empty if the dataset does not read a
        local file in COCO's format.

    Raises:
        ValueError: If the file is not JSON, or has another structure.
    """
    needs = needs_of(dataset, metrics)
    if needs is None or not dataset.ann_file or '://' in dataset.ann_file:
        return []
    with naming(path := Path(dataset.ann_file)):
        content: Any = load_json(path, MAX_ANNOTATIONS)
        return list(coco_faults(content, needs))


def coco_faults(content: dict, needs: CocoNeeds) -> Iterator[str]:
    """Yield one line for each kind of fault of a decoded file.

    People that MMPose leaves out (crowds, no labeled keypoint) may have any numbers.

    Args:
        content (dict): ``images``, ``annotations`` and ``categories`` of the file.
        needs (CocoNeeds): Fields and keypoints that the file must have.

    Yields:
        str: ID of the first faulty image or annotation, its field, and the fault.

    Raises:
        KeyError or TypeError: If the file has another structure.
    """
    # MMPose leaves out annotations without keypoints.
    annotations = [ann for ann in content['annotations'] if needs.parts[0] in ann]
    if not annotations:
        yield f'no annotation has bbox and {needs.parts[0]}'
        return
    fault = (
        find_entry_fault(content)
        or _find_name_fault(annotations, content, needs)
        or _find_field_fault(annotations, content, needs)
    )
    if fault:  # no arrays can be made of such annotations
        yield fault
    else:
        yield from _value_faults(annotations, content, needs)


def find_entry_fault(content: dict) -> str | None:
    """Describe the first fault of images and IDs, with its number; None if none."""
    for field, kind in dict(id=int, file_name=str, width=int, height=int).items():
        wrong = [x for x in content['images'] if not isinstance(x.get(field), kind)]
        if wrong:
            value = f'wanted {kind.__name__}, got {wrong[0].get(field)!r}'
            more = _more(wrong, 'images')
            return f'image {wrong[0].get("id")}, {field!r}: {value}{more}'
    for name in ('image', 'annotation'):
        if twice := repeated(item['id'] for item in content[f'{name}s']):
            more = _more(twice, 'IDs')
            return f"{name} {twice[0]}, 'id': two {name}s have it{more}"
    return None


def repeated(values: Iterable[Hashable]) -> list:
    """List the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _more(items: Sequence[object], noun: str) -> str:
    """Count the items after the first one, such as ' (and 2 more images)'."""
    return f' (and {len(items) - 1} more {noun})' if len(items) > 1 else ''


def _find_name_fault(
    annotations: list[dict], content: dict, needs: CocoNeeds
) -> str | None:
    """Describe the first category with other keypoints than the model's.

    Names may be spelled differently, and up to half of them may be synonyms, such as
    top_head and head, but none may be the name of another keypoint.
    """
    used = {ann['category_id'] for ann in annotations}
    for category in content.get('categories', ()):
        names = category.get('keypoints')
        if not names or category['id'] not in used:
            continue
        # COCO-WholeBody lists the keypoints of the body only.
        count = len(names) if len(needs.parts) > 1 else len(needs.joints)
        theirs = [spell_joint(str(name)) for name in names]
        ours = [spell_joint(joint) for joint in needs.joints][:count]
        differ = [(a, b) for a, b in zip(theirs, ours, strict=False) if a != b]
        moved = any(a in ours or b in theirs for a, b in differ)
        if moved or len(theirs) != len(ours) or 2 * len(differ) > len(ours):
            return (
                f"category {category.get('name')!r}, 'keypoints': has "
                f"{', '.join(map(str, names))}, but the config's metainfo has "
                f'{", ".join(needs.joints)}: use the same names and order in both, '
                'see docs/own_keypoints.md'
            )
    return None


def _find_field_fault(
    annotations: list[dict], content: dict, needs: CocoNeeds
) -> str | None:
    """Describe the first field that is missing, or does not fit the model."""
    images = {image['id'] for image in content['images']}
    for ann in annotations:
        name = f'annotation {ann["id"]}'
        for field in ('bbox', *needs.parts, *needs.fields):
            if ann.get(field) is None:
                return f'{name}, {field!r}: is missing'
        if ann['image_id'] not in images:
            return f"{name}, 'image_id': there is no image {ann['image_id']!r}"
        total = sum(len(ann[part]) for part in needs.parts)
        count = len(needs.joints)
        if total != 3 * count:
            return (
                f"{name}, '{'+'.join(needs.parts)}': has {total} numbers, wanted "
                f'{3 * count} (x, y, visibility) for the {count} keypoints of the model'
            )
    return None


def _value_faults(
    annotations: list[dict], content: dict, needs: CocoNeeds
) -> Iterator[str]:
    """Yield faults of numbers; only the first one of each annotation.

    They are those that an evaluation would count wrongly, and other units of boxes and
    keypoints. Other wrong numbers show in the log of the first epoch.
    """
    sizes = {x['id']: (x['width'], x['height']) for x in content['images']}
    size = np.array([sizes[ann['image_id']] for ann in annotations], float)  # (N, 2)
    boxes = np.array([ann['bbox'] for ann in annotations], float)  # (N, 4)
    numbers = [[x for part in needs.parts for x in ann[part]] for ann in annotations]
    points = np.array(numbers, float).reshape(len(annotations), -1, 3)  # (N, K, 3)
    used = _find_used(annotations, points[..., 2])
    if not used.any():
        yield (
            'no usable person: none has a keypoint of visibility 1 or 2 and an '
            "'iscrowd' of 0"
        )
        return
    use_area = 'area' in needs.fields
    # Field and text of a fault of each annotation, or None
    person_faults = [person_fault(ann, needs.parts, use_area) for ann in annotations]
    faults = [
        (*kind, np.array([fault == kind for fault in person_faults]))
        for kind in dict.fromkeys(filter(None, person_faults))
    ]
    faults += _unit_faults(boxes, points, size, used)
    for field, text, wrong in faults:
        rows = np.flatnonzero(used & wrong)
        used &= ~wrong  # an annotation's further faults are not counted
        if len(rows):
            ann = annotations[rows[0]]
            more = _more(rows.tolist(), 'annotations')
            yield f'annotation {ann["id"]}, {field!r}: {text.format(ann[field])}{more}'


def _find_used(annotations: list[dict], visibility: np.ndarray) -> np.ndarray:
    """Mark the annotations that training uses, (N,), by visibilities (N, K)."""
    used = np.array([not ann.get('iscrowd') for ann in annotations])
    used &= [ann.get('num_keypoints', 1) != 0 for ann in annotations]
    # A visibility of NaN is used: it is a fault.
    return used & ~(visibility <= 0).all(1)


def _unit_faults(
    boxes: np.ndarray, points: np.ndarray, size: np.ndarray, used: np.ndarray
) -> Iterator[tuple[str, str, Any]]:
    """Yield field, text and mask (N,) of boxes and keypoints that are no pixels.

    Args:
        boxes (np.ndarray): Corner, width and height, (N, 4).
        points (np.ndarray): Keypoints with visibilities, (N, K, 3).
        size (np.ndarray): Widths and heights of the images, (N, 2).
        used (np.ndarray): Marks the annotations that training uses, (N,).
    """
    labeled = points[..., 2] > 0
    yield (
        'keypoints',
        'are normalized to 0..1, or all 0: wanted pixels',
        ((points[..., :2] <= 1).all(-1) | ~labeled).all(1) & (labeled.sum(1) > 1),
    )
    hint = ': wanted x, y, width, height in pixels'
    has_area = (boxes[:, 2:] > 0).all(1)
    yield 'bbox', '{0} is normalized to 0..1' + hint, (boxes <= 1).all(1) & has_area
    corner = boxes[:, :2]
    sides = boxes[:, 2:]
    is_beyond = (corner + sides > (1 + _MAX_BEYOND) * size).any(1)
    are_corners = is_beyond & ((sides > corner) & (sides <= size + 1)).all(1)
    are_corners |= used & _fit_as_corners(boxes[used], points[used])
    yield 'bbox', '{0} looks like x1, y1, x2, y2' + hint, are_corners


def _fit_as_corners(boxes: np.ndarray, points: np.ndarray) -> bool:
    """Whether all boxes (N, 4) fit keypoints (N, K, 3) better as x1, y1, x2, y2."""
    labeled = (points[..., 2:] > 0) & np.isfinite(points[..., :2])
    low = np.where(labeled, points[..., :2], np.inf).min(1, initial=np.inf)
    high = np.where(labeled, points[..., :2], -np.inf).max(1, initial=-np.inf)
    has_extent = (high > low).all(1)  # several keypoints, not in a line
    if not has_extent.any():
        return False
    extents = torch.from_numpy(np.hstack([low, high])[has_extent])
    corners = torch.from_numpy(boxes[has_extent])
    sides = torch.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])
    as_corners = bbox_overlaps(corners, extents, is_aligned=True)
    as_sides = bbox_overlaps(sides, extents, is_aligned=True)
    gain = as_corners / as_sides.clamp(min=1e-9)
    return bool(
        (as_corners > as_sides).all()
        and gain.quantile(0.5) >= _CORNER_GAIN
        and as_corners.quantile(0.5) >= _CORNER_OVERLAP
    )
