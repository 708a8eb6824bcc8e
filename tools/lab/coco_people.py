"""Conversion between packed people and COCO-style folders of JSON and images."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from mmhot.datasets.packed_people import AREA, LARGEST, PackedPeople, estimate_areas
from mmhot.errors import require_file
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing
from mmhot.io.images import decode_image
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.crops import crop_matrix, map_points, warp_smoothly
from tools.lab.packing import join_images

ANNOTATIONS = 'annotations.json'
IMAGES = 'images'
# COCO-WholeBody's arrays of keypoints, in their order.
_PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
_NUM_KEYPOINTS = {17: 1, 133: len(_PARTS)}
# Extra array of pinhole cameras in the image's pixels: fx, fy, cx, cy.
_CAMERA = 'K'
_SUFFIXES = {b'RIFF': '.webp', b'\xff\xd8\xff': '.jpg', b'\x89PNG': '.png'}


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
        annotations (Path): JSON with ``images`` and ``annotations``. Crowds, people
            without labels, and boxes outside of their image are skipped, as in MMPose;
            boxes are clipped to the image. Files of :func:`unpack_coco` are packed
            unchanged.
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
        count as not labeled. Extra arrays ``area`` and ``K`` (pinhole cameras) are
        converted to the crops.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If they cannot be read, or no person remains.
    """
    people, extras, is_ours = _read_people(annotations)
    _check_cameras(extras, annotations)
    if size is None:
        _check_coordinates(people, annotations)

    @lru_cache(maxsize=1)
    def read(name: str) -> tuple[bytes, np.ndarray]:
        encoded = require_file(images / name).read_bytes()
        return encoded, decode_image(encoded, str(images / name))

    labels, rows = [], []

    def crops() -> Iterator[bytes]:
        """Encoded images; appends the labels of each to ``labels`` and ``rows``."""
        for row, person in enumerate(progress(people)):
            encoded, image = read(person.name)
            box, triples = person.box, person.triples
            if not is_ours:
                # as in MMPose
                last = np.array(image.shape[1::-1]) - 1
                box = box.reshape(2, 2).clip(0, last).ravel()
                if (box[2:] <= box[:2]).any():
                    continue
            if box[3] - box[1] < min_height:
                continue
            if size is None:
                _fit_into(triples, image.shape[1::-1], is_ours)
            else:
                matrix = crop_matrix(box, size, padding)
                encoded, triples, box = _crop(
                    image, triples, box, matrix, size, quality
                )
                _move(extras, row, matrix)
            labels.append((triples, box))
            rows.append(row)
            yield encoded

    joined, offsets = join_images(crops())
    if not rows:
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
        extras={name: extra[rows] for name, extra in extras.items()},
    )


def unpack_coco(people: PackedPeople, folder: Path) -> Path:
    """Write people as a COCO-style folder.

    Args:
        people (PackedPeople): Extra arrays become ``extras`` of each annotation.
        folder (Path): Gets ``images/`` and ``annotations.json``, the latter last.

    Returns:
        Path: The JSON.

    Raises:
        FileExistsError: If the folder has ``annotations.json`` or files in ``images/``.
    """
    if existing := [*folder.glob(ANNOTATIONS), *folder.glob(f'{IMAGES}/*')]:
        raise FileExistsError(
            f'{min(existing)} is there already; choose another folder'
        )
    images = (
        (people.encoded(index).tobytes(), [_annotation(people, index, area)])
        for index, area in enumerate(people.areas.tolist())
    )
    extras = {name: str(extra.dtype) for name, extra in people.extras.items()}
    return write_coco(images, folder, extras=extras)


def write_coco(
    annotated: Iterable[tuple[bytes, list[dict]]], folder: Path, **more: Any
) -> Path:
    """Write a COCO-style folder.

    Args:
        annotated (Iterable): Encoded images, each with its annotations of
            :func:`coco_annotation`.
        folder (Path): Gets ``images/`` and ``annotations.json``, the latter last.
        more (Any): Further entries of the JSON.

    Returns:
        Path: The JSON.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index, (encoded, people) in enumerate(annotated):
        suffixes = [
            kind for head, kind in _SUFFIXES.items() if encoded[:4].startswith(head)
        ]
        name = f'{index:06d}{suffixes[0] if suffixes else ".img"}'
        with replacing(folder / IMAGES / name) as temporary:
            temporary.write_bytes(encoded)
        height, width = decode_image(encoded, name).shape[:2]
        images.append(dict(id=index, file_name=name, width=width, height=height))
        for person in people:
            # from 1: in COCO's evaluation 0 means unmatched
            person_id = len(annotations) + 1
            annotations.append(dict(id=person_id, image_id=index, **person))
    categories = [dict(id=1, name='person')]
    content = dict(
        images=images, annotations=annotations, categories=categories, **more
    )
    path = folder / ANNOTATIONS
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding='utf-8')
    return path


def coco_annotation(
    keypoints: np.ndarray,
    visibility: np.ndarray,
    bbox: np.ndarray,
    area: float,
    is_crowd: bool = False,
) -> dict:
    """Make a COCO annotation, without the IDs of person and image.

    Args:
        keypoints (np.ndarray): Pixels, (17, 2) or COCO-WholeBody's (133, 2).
        visibility (np.ndarray): (K,): 0 not labeled, 1 occluded, 2 visible.
        bbox (np.ndarray): x1, y1, x2, y2 in pixels, (4,).
        area (float): Of the person, square pixels.
        is_crowd (bool): Whether evaluation ignores it. Defaults to False.
    """
    x1, y1, x2, y2 = map(float, bbox)
    triples = np.concatenate([keypoints, visibility[:, None]], axis=1)
    cuts = [17, 23, 91, 112] if len(triples) == 133 else []
    parts = zip(_PARTS, np.split(triples, cuts), strict=False)
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
    """Image name, keypoints (K, 3), box x1, y1, x2, y2, and annotation."""

    name: str
    triples: np.ndarray
    box: np.ndarray
    annotation: dict


def _read_people(
    annotations: Path,
) -> tuple[list[_Person], dict[str, np.ndarray], bool]:
    """People to pack, their extra arrays, and whether unpack_coco wrote them."""
    require_file(annotations)
    try:
        content = load_json(annotations)
        if not isinstance(content, dict):
            raise ValueError('it has no images and annotations')
        files = {image['id']: _name(image) for image in content['images']}
        _check_names(content)
        is_ours = 'extras' in content
        people = [
            _Person(_file_of(person, files), *_labels(person), person)
            for person in content['annotations']
            if is_ours or not person.get('iscrowd', 0)
        ]
        if is_ours:
            extras = _extras(people, content['extras'])
        else:
            people = [each for each in people if (each.triples[:, 2] > 0).any()]
            # sorted, to read each image once
            order = {name: index for index, name in enumerate(files.values())}
            people.sort(key=lambda person: order[person.name])
            extras = {AREA: np.array(list(map(_area, people)), np.float32)}
    except KeyError as error:
        raise ValueError(
            f'{annotations} must be a COCO file of keypoints; it lacks {error}'
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file of keypoints: {error}'
        ) from error
    if len({len(person.triples) for person in people}) > 1:
        raise ValueError(f'{annotations} has people of 17 and of 133 keypoints')
    return people, extras, is_ours


def _check_cameras(extras: dict[str, np.ndarray], annotations: Path) -> None:
    shape = extras[_CAMERA].shape[1:] if _CAMERA in extras else (4,)
    if shape != (4,):
        raise ValueError(
            f'{annotations}: {_CAMERA} must be fx, fy, cx, cy of each person, got '
            f'numbers of shape {shape}'
        )


def _check_names(content: dict) -> None:
    """Check that keypoints have COCO's names, if the file names them."""
    wanted = get_skeleton('coco-17').joints
    used = {person.get('category_id') for person in content['annotations']}
    for category in content.get('categories', ()):
        names = category.get('keypoints', ())
        if category.get('id') not in used or len(names) not in _NUM_KEYPOINTS:
            continue
        for index, (name, expected) in enumerate(zip(names, wanted, strict=False)):
            if name.lower().replace(' ', '_') != expected:
                raise ValueError(f'its keypoint {index} is {name!r}, not {expected!r}')


def _file_of(person: dict, files: dict[Any, str]) -> str:
    image = person['image_id']
    if image not in files:
        raise ValueError(
            f'annotation {person.get("id")} is of image {image}, which it lacks'
        )
    return files[image]


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


def _name(image: dict) -> str:
    if not isinstance(image['file_name'], str):
        raise ValueError(f"'file_name' is {image['file_name']!r}")
    return image['file_name']


def _labels(person: dict) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints with visibility (K, 3) and box (4,) of an annotation."""
    parts = [person[part] for part in _PARTS if part in person]
    if not any(parts):
        return np.zeros((17, 3), np.float32), np.zeros(4)
    triples = np.concatenate(
        [np.array(part, np.float32).reshape(-1, 3) for part in parts]
    )
    if _NUM_KEYPOINTS.get(len(triples)) != len(parts):
        raise ValueError(
            f'annotation {person.get("id")} has {len(triples)} keypoints, not 17 or 133'
        )
    # COCO-WholeBody's hands have fractions, which MMPose counts as visible
    triples[:, 2] = np.ceil(triples[:, 2].clip(0, 2))
    x, y, width, height = np.array(person['bbox'], np.float64)
    box = np.array([x, y, x + width, y + height])
    if not (np.isfinite(triples).all() and np.isfinite(box).all()):
        raise ValueError('keypoints and boxes must be finite')
    return triples, box


def _area(person: _Person) -> float:
    """The annotated area, or an estimate from the box."""
    area = float(person.annotation.get('area') or 0)
    if area > 0:
        return area
    return float(estimate_areas(person.box))


def _fit_into(triples: np.ndarray, size: tuple[int, int], is_ours: bool) -> None:
    """Clip a person's keypoints (K, 3) to an image, in place."""
    points = triples[:, :2]
    if not is_ours:
        outside = (points < -0.5) | (points > np.array(size) - 0.5)
        triples[outside.any(1), 2] = 0
    # the outer half of the first pixels is below 0, which cannot be packed
    points[(points < 0) & (points >= -0.5)] = 0


def _move(extras: dict[str, np.ndarray], row: int, matrix: np.ndarray) -> None:
    """Convert a person's extra arrays to the crop, in place."""
    zoom = matrix[0, 0]
    if AREA in extras:
        extras[AREA][row] *= zoom**2
    if _CAMERA in extras:
        camera = extras[_CAMERA][row]
        camera[:2] *= zoom
        camera[2:] = map_points(matrix, camera[2:])


def _crop(
    image: np.ndarray,
    triples: np.ndarray,
    box: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    quality: int,
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Crop one person: image, keypoints (K, 3) and box in the crop's pixels."""
    crop = warp_smoothly(image, matrix, size)
    last = np.array(size, np.float32) - 1
    triples = triples.copy()
    triples[:, :2] = map_points(matrix, triples[:, :2])
    outside = (triples[:, :2] < 0) | (triples[:, :2] > last)
    triples[outside.any(1), 2] = 0
    box = map_points(matrix, box.reshape(2, 2)).clip(0, last)
    _, crop = cv2.imencode('.webp', crop, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return crop.tobytes(), triples, box.reshape(4)


def _extras(people: list[_Person], kinds: dict[str, str]) -> dict[str, np.ndarray]:
    """Extra arrays from the annotations of :func:`unpack_coco`."""
    return {
        name: np.array([person.annotation['extras'][name] for person in people], kind)
        for name, kind in kinds.items()
    }


def _annotation(people: PackedPeople, index: int, area: float) -> dict:
    """COCO annotation of a packed person, with its extra arrays."""
    labels = people.keypoints[index], people.visibility[index], people.bboxes[index]
    extras = {name: extra[index].tolist() for name, extra in people.extras.items()}
    return coco_annotation(*labels, area) | {'extras': extras}
