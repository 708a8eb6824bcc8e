"""Writing of packed people, see :mod:`mmhot.datasets.packed_people`."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmhot.datasets.packed_people import LARGEST, STEPS, PackedPeople
from mmhot.io.atomic import replacing


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
    Path(path).parent.mkdir(parents=True, exist_ok=True)
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
