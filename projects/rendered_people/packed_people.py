"""Shards of packed people: thousands of crops with their keypoints in one ``.npz``.

The file holds encoded images one after another and the labels of all. It is read at
once, shuffled without seeking, and copied as one file. The README describes each
array.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from projects.rendered_people.files import decode_image, replacing

# Keypoints are stored as integers, in this fraction of a pixel.
STEPS = 64
LARGEST = np.iinfo(np.uint16).max / STEPS
# COCO's people fill about half of their bounding boxes.
_PERSON_OF_BOX = 0.53
# Extra array of annotated areas, square pixels.
AREA = 'area'
# Name of an array: its shape, None for any size, and the dtype kinds it may have.
_ARRAYS = {
    'images': ((None,), 'u'),
    'offsets': ((None,), 'iu'),
    'kpts_q': ((None, None, 2), 'iu'),
    'vis': ((None, None), 'iu'),
    'bbox': ((None, 4), 'iuf'),
}


@dataclass
class PackedPeople:
    """People, each in an image of its own.

    Attributes:
        images (np.ndarray): The encoded images, uint8, one after another.
        offsets (np.ndarray): Start of each image, and the end, int64 (N + 1,).
        keypoints (np.ndarray): Pixels of the image, float32 (N, K, 2).
        visibility (np.ndarray): uint8 (N, K): 0 not labeled, 1 hidden, 2 visible.
        bboxes (np.ndarray): x1, y1, x2, y2 in pixels, float32 (N, 4).
        extras (dict[str, np.ndarray]): Other arrays (N, ...), such as ``cam3d`` and
            ``area``, annotated areas in square pixels (N,).
    """

    images: np.ndarray
    offsets: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    bboxes: np.ndarray
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of people."""
        return len(self.bboxes)

    @property
    def areas(self) -> np.ndarray:
        """Areas in square pixels, (N,): annotated, or estimated from the boxes."""
        if AREA in self.extras:
            return self.extras[AREA]
        return estimate_areas(self.bboxes)

    def encoded(self, index: int) -> np.ndarray:
        """Bytes of one image file, uint8."""
        return self.images[self.offsets[index] : self.offsets[index + 1]]

    def decode(self, index: int) -> np.ndarray:
        """Decode one image.

        Returns:
            np.ndarray: BGR, uint8 (H, W, 3).

        Raises:
            ValueError: If it is damaged.
        """
        return decode_image(self.encoded(index), f'image {index}')


def estimate_areas(bboxes: np.ndarray) -> np.ndarray:
    """Estimate COCO's areas of people from their boxes.

    Args:
        bboxes (np.ndarray): x1, y1, x2, y2 in pixels, (..., 4).

    Returns:
        np.ndarray: Square pixels, at least 1, (...).
    """
    return (_PERSON_OF_BOX * (bboxes[..., 2:] - bboxes[..., :2]).prod(-1)).clip(1)


def read_packed_people(path: str | Path) -> PackedPeople:
    """Read a shard.

    Args:
        path (str | Path): The ``.npz`` file.

    Returns:
        PackedPeople: Its people; unknown arrays are in ``extras``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its content is wrong, in one line.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _checked(dict(arrays))
    except FileNotFoundError:
        raise
    # damaged archives raise nearly any kind of error
    except Exception as error:
        raise ValueError(f'{path} is not a file of packed people: {error}') from error


def _checked(arrays: dict[str, np.ndarray]) -> PackedPeople:
    """Check a file's arrays."""
    for name, (wanted, kinds) in _ARRAYS.items():
        if name not in arrays:
            raise ValueError(f"has no array '{name}'")
        array = arrays[name]
        fits = len(array.shape) == len(wanted) and all(
            want in (None, have) for want, have in zip(wanted, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in kinds:
            raise ValueError(f"'{name}' is {array.dtype} {array.shape}")
    known = {name: arrays.pop(name) for name in _ARRAYS}
    offsets, num_people = known['offsets'].astype(np.int64), len(known['bbox'])
    if (
        known['kpts_q'].shape[:2] != known['vis'].shape
        or len({num_people, len(offsets) - 1, len(known['vis'])}) > 1
        or any(extra.shape[:1] != (num_people,) for extra in arrays.values())
    ):
        raise ValueError('the arrays do not have the same number of people')
    if (
        offsets[0]
        or offsets[-1] != len(known['images'])
        or (np.diff(offsets) <= 0).any()
    ):
        raise ValueError("'offsets' do not fit 'images'")
    bboxes = known['bbox'].astype(np.float32)
    if not np.isfinite(bboxes).all() or (bboxes[:, 2:] < bboxes[:, :2]).any():
        raise ValueError("'bbox' must be x1, y1, x2, y2, finite and in this order")
    areas = arrays.get(AREA, np.ones(num_people))
    if areas.ndim != 1 or areas.dtype.kind not in 'iuf' or not (areas > 0).all():
        raise ValueError(f"'{AREA}' must be one positive number per person")
    if num_people and not 0 <= known['vis'].min() <= known['vis'].max() <= 2:
        raise ValueError("'vis' must be 0, 1 or 2")
    return PackedPeople(
        images=known['images'],
        offsets=offsets,
        keypoints=known['kpts_q'].astype(np.float32) / STEPS,
        visibility=known['vis'].astype(np.uint8),
        bboxes=bboxes,
        extras=arrays,
    )


def join_images(images: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate encoded images; return ``images`` and ``offsets``."""
    joined, offsets = bytearray(), [0]
    for image in images:
        joined += image
        offsets.append(len(joined))
    return np.frombuffer(joined, np.uint8), np.array(offsets, np.int64)


def write_packed_people(people: PackedPeople, path: str | Path) -> None:
    """Write a shard, whole or not at all.

    Args:
        people (PackedPeople): Labeled keypoints must lie within 0 ... 1023 pixels;
            they are rounded to 1/64 pixel.
        path (str | Path): The ``.npz`` file; its folder is created.

    Raises:
        ValueError: If a labeled keypoint cannot be stored.
        OSError: If the file cannot be written; one line that names it.
    """
    labeled = people.visibility > 0
    keypoints = np.where(labeled[..., None], people.keypoints, 0)
    if not np.isfinite(keypoints).all() or (
        len(people) and (keypoints.min() < 0 or keypoints.max() > LARGEST)
    ):
        raise ValueError(
            f'labeled keypoints must lie within 0 ... {LARGEST:.0f} pixels to be '
            'packed: crop the images first'
        )
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(
            file,
            images=people.images,
            offsets=people.offsets,
            kpts_q=np.round(keypoints * STEPS).astype(np.uint16),
            vis=people.visibility.astype(np.uint8),
            bbox=people.bboxes.astype(np.float32),
            **people.extras,
        )
