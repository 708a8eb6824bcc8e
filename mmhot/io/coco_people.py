"""People of COCO-style folders, packed and unpacked.

A COCO-style folder is a JSON of annotations and the images that it names; keypoints
are COCO's or, with feet, face and hands beside them, COCO-WholeBody's.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from mmhot.crops import crop_matrix, map_points

from .atomic import replacing
from .json_file import load_json
from .packed_people import PackedPeople, join_images

# Where COCO-WholeBody keeps the keypoints besides the body's, in their order.
_PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
_NUM_KEYPOINTS = {17: 1, 133: len(_PARTS)}
_SUFFIXES = {b'RIFF': '.webp', b'\xff\xd8\xff': '.jpg', b'\x89PNG': '.png'}


def pack_coco(
    annotations: Path,
    images: Path,
    size: tuple[int, int] | None = (192, 256),
    padding: float = 1.35,
    quality: int = 80,
    progress: Callable[[Iterable], Iterable] = iter,
) -> PackedPeople:
    """Crop and pack the people of a COCO-style folder.

    Args:
        annotations (Path): JSON with ``images`` and ``annotations``. Crowds and people
            without a labelled body keypoint are left out.
        images (Path): Folder of the images.
        size (tuple[int, int], optional): Width and height of a crop, in pixels; None
            packs whole images, byte by byte. Defaults to (192, 256).
        padding (float): Factor on a box, which is first made as wide as a crop, for
            augmentation to move within. Defaults to 1.35.
        quality (int): WebP quality of crops. Defaults to 80.
        progress (Callable): Wraps the list of people, to show progress.

    Returns:
        PackedPeople: Keypoints outside of a crop count as not labelled.

    Raises:
        FileNotFoundError: If the JSON or an image is missing.
        ValueError: If they cannot be read, or nobody is left.
    """
    _require(annotations)
    try:
        content = load_json(annotations)
        files = {image['id']: image['file_name'] for image in content['images']}
        people = [
            (files[person['image_id']], _keypoints(person), person)
            for person in content['annotations']
            if not person.get('iscrowd', 0) and any(person.get('keypoints', ()))
        ]
        boxes = [np.array(person['bbox'], np.float32) for *_, person in people]
    except KeyError as error:
        raise ValueError(
            f'{annotations} must be a COCO file of keypoints; it lacks {error}'
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{annotations} must be a COCO file of keypoints: {error}'
        ) from error
    if not people:
        raise ValueError(f'{annotations} has nobody with keypoints')
    packed = []
    for (name, triples, _), (x, y, width, height) in zip(
        progress(people), boxes, strict=True
    ):
        path = images / name
        box = np.array([x, y, x + width, y + height], np.float32)
        encoded = _require(path).read_bytes()
        if size is not None:
            encoded, triples, box = _crop(
                path, encoded, triples, box, size, padding, quality
            )
        packed.append((encoded, triples, box))
    joined, offsets = join_images([encoded for encoded, *_ in packed])
    triples = np.stack([triples for _, triples, _ in packed])
    return PackedPeople(
        images=joined,
        offsets=offsets,
        keypoints=triples[..., :2],
        visibility=triples[..., 2].astype(np.uint8),
        bboxes=np.stack([box for *_, box in packed]),
        extras=_extras([person for *_, person in people], content.get('extras', {})),
    )


def unpack_coco(people: PackedPeople, folder: Path) -> Path:
    """Write people as a COCO-style folder.

    Args:
        people (PackedPeople): What to write. Their extra arrays become an entry
            ``extras`` of each annotation.
        folder (Path): Gets ``images/`` and ``annotations.json``, the latter last.

    Returns:
        Path: The JSON.
    """
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index in range(len(people)):
        encoded = people.encoded(index).tobytes()
        suffixes = [
            kind for head, kind in _SUFFIXES.items() if encoded[:4].startswith(head)
        ]
        name = f'{index:06d}{suffixes[0] if suffixes else ".img"}'
        with replacing(folder / 'images' / name) as temporary:
            temporary.write_bytes(encoded)
        height, width = people.decode(index).shape[:2]
        images.append(dict(id=index, file_name=name, width=width, height=height))
        annotations.append(_annotation(people, index))
    content = dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=1, name='person')],
        extras={name: str(extra.dtype) for name, extra in people.extras.items()},
    )
    path = folder / 'annotations.json'
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding='utf-8')
    return path


def _keypoints(person: dict) -> np.ndarray:
    """Keypoints and visibility of an annotation, (K, 3)."""
    parts = [person[part] for part in _PARTS if part in person]
    triples = np.concatenate(
        [np.array(part, np.float32).reshape(-1, 3) for part in parts]
    )
    if _NUM_KEYPOINTS.get(len(triples)) != len(parts):
        raise ValueError(f'a person has {len(triples)} keypoints, not 17 or 133')
    triples[:, 2] = triples[:, 2].clip(0, 2)
    return triples


def _require(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    return path


def _crop(
    path: Path,
    encoded: bytes,
    triples: np.ndarray,
    box: np.ndarray,
    size: tuple[int, int],
    padding: float,
    quality: int,
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Crop one person: image, keypoints (K, 3) and box in the crop's pixels."""
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{path} is no readable image')
    matrix = crop_matrix(box, size, padding)
    interpolation = cv2.INTER_AREA if matrix[0, 0] < 0.5 else cv2.INTER_LINEAR
    crop = cv2.warpAffine(image, matrix, size, flags=interpolation)
    last = np.array(size, np.float32) - 1
    triples = triples.copy()
    triples[:, :2] = map_points(matrix, triples[:, :2])
    outside = (triples[:, :2] < 0) | (triples[:, :2] > last)
    triples[outside.any(1), 2] = 0
    box = map_points(matrix, box.reshape(2, 2)).clip(0, last)
    _, crop = cv2.imencode('.webp', crop, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return crop.tobytes(), triples, box.reshape(4)


def _extras(people: list[dict], kinds: dict[str, str]) -> dict[str, np.ndarray]:
    """Extra arrays that :func:`unpack_coco` has put into annotations."""
    return {
        name: np.array([person['extras'][name] for person in people], kind)
        for name, kind in kinds.items()
    }


def _annotation(people: PackedPeople, index: int) -> dict:
    """One person as COCO's JSON has it."""
    x1, y1, x2, y2 = map(float, people.bboxes[index])
    triples = np.concatenate(
        [people.keypoints[index], people.visibility[index][:, None]], axis=1
    )
    cuts = [17, 23, 91, 112] if len(triples) == 133 else []
    parts = zip(_PARTS, np.split(triples, cuts), strict=False)
    return {
        'id': index,
        'image_id': index,
        'category_id': 1,
        'iscrowd': 0,
        'bbox': [x1, y1, x2 - x1, y2 - y1],
        'area': (x2 - x1) * (y2 - y1),
        'num_keypoints': int((triples[:, 2] > 0).sum()),
        **{name: part.ravel().tolist() for name, part in parts},
        'extras': {
            name: extra[index].tolist() for name, extra in people.extras.items()
        },
    }
