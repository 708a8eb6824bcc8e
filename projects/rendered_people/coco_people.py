"""COCO-style folders: packing their people, and writing rendered scenes."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmpose.structures.bbox import bbox_xyxy2cs, get_warp_matrix

from projects.rendered_people.files import decode_image, replacing
from projects.rendered_people.packed_people import (
    AREA,
    LARGEST,
    PackedPeople,
    estimate_areas,
    join_images,
)

ANNOTATIONS = 'annotations.json'
IMAGES = 'images'
# COCO-WholeBody's arrays of keypoints, in their order.
_PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')


def pack_coco(
    annotations: Path,
    images: Path,
    size: tuple[int, int] | None = (192, 256),
    padding: float = 1.35,
    quality: int = 80,
    min_height: float = 0.0,
    progress: Callable[[Iterable], Iterable] = iter,
) -> PackedPeople:
    """Crop and pack the people of a COCO-style folder.

    Args:
        annotations (Path): JSON with ``images`` and ``annotations`` of COCO's or
            COCO-WholeBody's keypoints. Crowds, people without labels, and boxes
            outside of their image are skipped, as in MMPose; boxes are clipped to the
            image.
        images (Path): Folder of the images.
        size (tuple[int, int], optional): Width and height of a crop, in pixels; None
            packs the encoded whole image for each person, whose labels must be in its
            first 1023 pixels. Defaults to (192, 256).
        padding (float): Factor on a box of the crop's aspect ratio, as margin for
            augmentation. Defaults to 1.35.
        quality (int): WebP quality of crops. Defaults to 80.
        min_height (float): Minimum height of a clipped box, in pixels. Defaults to 0.
        progress (Callable): Wraps the list of people, to show progress.

    Returns:
        PackedPeople: In the order of the images. Keypoints outside of a crop or image
        count as not labeled. Their extra array is ``area``.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If they cannot be read, or no person remains.
    """
    people = _read_people(annotations)
    if size is None:
        _check_coordinates(people, annotations)

    @lru_cache(maxsize=1)
    def read(name: str) -> tuple[bytes, np.ndarray]:
        encoded = (images / name).read_bytes()
        return encoded, decode_image(encoded, str(images / name))

    labels, areas = [], []

    def crops() -> Iterator[bytes]:
        """Encoded images; appends the labels of each to ``labels`` and ``areas``."""
        for person in progress(people):
            encoded, image = read(person.name)
            box, triples, area = person.box, person.triples, person.area
            # as in MMPose
            last = np.array(image.shape[1::-1]) - 1
            box = box.reshape(2, 2).clip(0, last).ravel()
            if (box[2:] <= box[:2]).any() or box[3] - box[1] < min_height:
                continue
            if size is None:
                _fit_into(triples, image.shape[1::-1])
            else:
                matrix = _crop_matrix(box, size, padding)
                encoded = _encode_crop(image, matrix, size, quality)
                triples, box = _move(triples, box, matrix, size)
                area *= matrix[0, 0] ** 2
            labels.append((triples, box))
            areas.append(area)
            yield encoded

    joined, offsets = join_images(crops())
    if not labels:
        raise ValueError(
            f'{annotations} has no person with keypoints whose box is in the image and '
            f'at least {min_height:g} pixels high'
        )
    triples, boxes = map(np.stack, zip(*labels, strict=True))
    return PackedPeople(
        images=joined,
        offsets=offsets,
        keypoints=triples[..., :2],
        visibility=triples[..., 2].astype(np.uint8),
        bboxes=boxes.astype(np.float32),
        extras={AREA: np.array(areas, np.float32)},
    )


def write_coco(annotated: Iterable[tuple[bytes, list[dict]]], folder: Path) -> Path:
    """Write a COCO-style folder.

    Args:
        annotated (Iterable): Encoded images (WebP), each with its annotations of
            :func:`coco_annotation`.
        folder (Path): Gets ``images/`` and ``annotations.json``, the latter last.

    Returns:
        Path: The JSON.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index, (encoded, people) in enumerate(annotated):
        name = f'{index:06d}.webp'
        (folder / IMAGES / name).write_bytes(encoded)
        height, width = decode_image(encoded, name).shape[:2]
        images.append(dict(id=index, file_name=name, width=width, height=height))
        for person in people:
            # from 1: in COCO's evaluation 0 means unmatched
            person_id = len(annotations) + 1
            annotations.append(dict(id=person_id, image_id=index, **person))
    categories = [dict(id=1, name='person')]
    content = dict(images=images, annotations=annotations, categories=categories)
    path = folder / ANNOTATIONS
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content))
    return path


def coco_annotation(
    keypoints: np.ndarray,
    visibility: np.ndarray,
    bbox: np.ndarray,
    area: float,
    is_crowd: bool = False,
) -> dict:
    """Make a COCO-WholeBody annotation, without the IDs of person and image.

    Args:
        keypoints (np.ndarray): Pixels, (133, 2).
        visibility (np.ndarray): (133,): 0 not labeled, 1 occluded, 2 visible.
        bbox (np.ndarray): x1, y1, x2, y2 in pixels, (4,).
        area (float): Of the person, square pixels.
        is_crowd (bool): Whether evaluation ignores it. Defaults to False.
    """
    x1, y1, x2, y2 = map(float, bbox)
    triples = np.concatenate([keypoints, visibility[:, None]], axis=1)
    parts = zip(_PARTS, np.split(triples, [17, 23, 91, 112]), strict=True)
    return {
        'category_id': 1,
        'iscrowd': int(is_crowd),
        'bbox': [x1, y1, x2 - x1, y2 - y1],
        'area': area,
        'segmentation': [],  # required by MMPose's CocoWholeBodyDataset
        'num_keypoints': int((triples[:17, 2] > 0).sum()),
        **{name: part.ravel().tolist() for name, part in parts},
    }


class _Person(NamedTuple):
    """Image name, keypoints (K, 3), box x1, y1, x2, y2, and area."""

    name: str
    triples: np.ndarray
    box: np.ndarray
    area: float


def _read_people(annotations: Path) -> list[_Person]:
    """Read the people to pack, those of an image beside each other."""
    content = json.loads(annotations.read_text())
    try:
        files = {image['id']: image['file_name'] for image in content['images']}
        people = [
            _Person(files[person['image_id']], *_labels(person))
            for person in content['annotations']
            if not person.get('iscrowd', 0)
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file of keypoints: {error!r}'
        ) from error
    people = [each for each in people if (each.triples[:, 2] > 0).any()]
    if len({len(person.triples) for person in people}) > 1:
        raise ValueError(f'{annotations} has people of 17 and of 133 keypoints')
    # sorted, to read each image once
    order = {name: index for index, name in enumerate(files.values())}
    return sorted(people, key=lambda person: order[person.name])


def _labels(person: dict) -> tuple[np.ndarray, np.ndarray, float]:
    """Keypoints (K, 3), box x1, y1, x2, y2, and area of an annotation."""
    parts = [person[name] for name in _PARTS if name in person]
    triples = np.concatenate(
        [np.array(part, np.float32).reshape(-1, 3) for part in parts]
    )
    if len(triples) not in (17, 133):
        raise ValueError(f'a person has {len(triples)} keypoints, not 17 or 133')
    # COCO-WholeBody's hands have fractions, which MMPose counts as visible
    triples[:, 2] = np.ceil(triples[:, 2].clip(0, 2))
    x, y, width, height = np.array(person['bbox'], np.float64)
    box = np.array([x, y, x + width, y + height])
    if not (np.isfinite(triples).all() and np.isfinite(box).all()):
        raise ValueError('keypoints and boxes must be finite')
    return triples, box, float(person.get('area') or estimate_areas(box))


def _check_coordinates(people: list[_Person], annotations: Path) -> None:
    """Check that labels can be stored, before images are read."""
    for person in people:
        points = person.triples[person.triples[:, 2] > 0, :2]
        if points.max(initial=0) > LARGEST:
            raise ValueError(
                f'{annotations}: {person.name} has a label at {points.max():.0f} '
                f'pixels; whole images are packed up to {LARGEST:.0f}, larger ones as '
                'crops'
            )


def _fit_into(triples: np.ndarray, size: tuple[int, int]) -> None:
    """Clip a person's keypoints (K, 3) to an image, in place."""
    points = triples[:, :2]
    outside = (points < -0.5) | (points > np.array(size) - 0.5)
    triples[outside.any(1), 2] = 0
    # the outer half of the first pixels is below 0, which cannot be packed
    points[(points < 0) & (points >= -0.5)] = 0


def _crop_matrix(box: np.ndarray, size: tuple[int, int], padding: float) -> np.ndarray:
    """Affine matrix (2, 3) from an image to a crop, that of MMPose."""
    center, scale = bbox_xyxy2cs(box.astype(np.float32), padding)
    scale[0] = max(scale[0], scale[1] * size[0] / size[1])
    return get_warp_matrix(center, scale, 0.0, size)


def _encode_crop(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], quality: int
) -> bytes:
    """Crop one person, without aliasing when the image shrinks."""
    block = int(min(1 / matrix[0, 0], *image.shape[:2]))
    if block > 1:
        # pad to whole blocks, so that each pixel of the small image is a square
        height, width = (block * -(-side // block) for side in image.shape[:2])
        below, right = height - image.shape[0], width - image.shape[1]
        image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        small = width // block, height // block
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        shift = matrix[:, :2] @ np.full(2, (block - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([block * matrix[:, :2], shift])
    crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    _, encoded = cv2.imencode('.webp', crop, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return encoded.tobytes()


def _move(
    triples: np.ndarray, box: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Convert keypoints (K, 3) and a box to the crop's pixels."""
    last = np.array(size, np.float32) - 1
    triples = triples.copy()
    triples[:, :2] = triples[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    outside = (triples[:, :2] < 0) | (triples[:, :2] > last)
    triples[outside.any(1), 2] = 0
    corners = box.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
    return triples, corners.clip(0, last).ravel()
