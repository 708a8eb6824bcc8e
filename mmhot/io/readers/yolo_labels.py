"""Reader of the folder ``labels`` that Ultralytics' ``save_txt`` writes."""

from pathlib import Path

import numpy as np

from mmhot.io.arrays import MAX_JSON, as_numbers, read_limited
from mmhot.io.readers.frame_numbers import frames_of, natural_key
from mmhot.structures.rows import Rows

# Keypoints of COCO; class and box before them.
_NUM_KEYPOINTS, _BEFORE = 17, 5
_LONGEST = 4000  # characters of a line


def label_files(folder: Path) -> list[Path]:
    """List the files of a folder, one for each frame with people; empty of others."""
    files = sorted(folder.glob('[!.]*.txt'), key=lambda file: natural_key(file.name))
    for path in files:
        with path.open(encoding='utf-8', errors='replace') as file:
            if _layout(len(file.readline(_LONGEST).split())) is not None:
                return files
    return []


def _layout(count: int) -> tuple[int, int] | None:
    """Return the numbers of a keypoint, and those after all, of lines of a length."""
    for size in (3, 2):
        rest = count - _BEFORE - size * _NUM_KEYPOINTS
        if 0 <= rest <= 2:
            return size, rest
    return None


def read_labels(files: list[Path], folder: Path) -> Rows:
    """Read people; coordinates are shares of the image size.

    A line has a class, a box (center, size), keypoints and, if they were asked for, the
    confidence of the box (``save_conf``) and the track ID, which people that the
    tracker has not confirmed lack.
    """
    people = [
        (file.stem, line.split())
        for file in files
        for line in read_limited(file, MAX_JSON).decode('utf-8', 'replace').splitlines()
        if line.strip()
    ]
    widest = max(len(cells) for _, cells in people)
    layout = _layout(widest)
    if layout is None:
        raise ValueError(f'has lines of {widest} numbers: see docs/migration.md')
    size, rest = layout
    whole = [cells for _, cells in people if len(cells) == widest]
    has_ids = rest > 0 and all(cells[-1].isdecimal() for cells in whole)
    end = _BEFORE + size * _NUM_KEYPOINTS
    values = as_numbers([cells[:end] for _, cells in people], 'labels', of_text=True)
    points = values[:, _BEFORE:].reshape(len(people), _NUM_KEYPOINTS, size)
    center, half = values[:, 1:3], values[:, 3:5] / 2
    tracks = [int(x[-1]) if has_ids and len(x) == widest else -1 for _, x in people]
    return Rows(
        points,
        frame=np.array(frames_of([name for name, _ in people], folder)),
        track=np.array(tracks),
        bboxes=np.concatenate([center - half, center + half], 1),
        skeleton='coco-17',
        is_normalized=True,
    )
