"""2D keypoints that were found before, kept beside the results."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.io.npz import load_arrays

from .people import People

FOLDER = '.mmhot-cache'
_ARRAYS = ('counts', 'times', 'bboxes', 'bbox_scores', 'keypoints', 'scores')
_STATE = ('size', 'complete', 'ended')
# Bytes at either end of a file that tell it from others of the same size and date.
_SAMPLE = 1 << 16


@dataclass
class FoundPeople:
    """The people of a clip's frames, as far as they were looked for.

    Attributes:
        people (list[People]): Of each frame.
        times (list[float]): Seconds at which each frame was taken.
        size (tuple[int, int]): Width and height of the picture in pixels.
        complete (bool): Whether all frames were looked at.
        ended (str): Why reading ended early; empty if it did not.
    """

    people: list[People] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    complete: bool = False
    ended: str = ''


def cache_path(folder: Path, source: Path, facts: dict) -> Path:
    """Name the file that keeps what was found in one input with certain models.

    Args:
        folder (Path): Of the results.
        source (Path): The input: a file, or a folder of pictures.
        facts (dict): Everything else that the keypoints depend on; plain values.

    Returns:
        Path: Another for other bytes, another date or other facts.
    """
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    described = [_describe(file) for file in files if file.is_file()]
    text = json.dumps([described, facts], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return folder / FOLDER / f'{source.resolve().stem}-{digest}.npz'


def _describe(file: Path) -> list:
    status = file.stat()
    with file.open('rb') as opened:
        sample = opened.read(_SAMPLE)
        opened.seek(max(status.st_size - _SAMPLE, 0))
        sample += opened.read(_SAMPLE)
    digest = hashlib.sha256(sample).hexdigest()
    return [str(file.resolve()), status.st_size, status.st_mtime_ns, digest]


def save_found(found: FoundPeople, path: Path) -> None:
    """Keep what was found so far, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    people = found.people
    arrays = {
        'counts': np.array([len(each) for each in people], np.int64),
        'times': np.array(found.times, np.float64),
        'size': np.array(found.size, np.int64),
        'complete': np.array(found.complete),
        'ended': np.array(found.ended),
    }
    for name in ('bboxes', 'bbox_scores', 'keypoints', 'scores'):
        values = [getattr(each, name) for each in people if len(each)]
        arrays[name] = np.concatenate(values) if values else np.zeros(0, np.float32)
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **arrays)


def load_found(path: Path, num_keypoints: int) -> FoundPeople | None:
    """Load what was kept.

    Args:
        path (Path): The file.
        num_keypoints (int): Of the model; frames without anybody need to know.

    Returns:
        FoundPeople | None: None if nothing was kept or it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        arrays = load_arrays(path, (*_ARRAYS, *_STATE))
        counts = arrays['counts']
        shapes = {
            'bboxes': (-1, 4),
            'bbox_scores': (-1,),
            'keypoints': (-1, num_keypoints, 2),
            'scores': (-1, num_keypoints),
        }
        split = {
            name: np.split(arrays[name].reshape(shape), counts.cumsum()[:-1])
            for name, shape in shapes.items()
        }
        people = [
            People(*(split[name][frame] for name in shapes))
            for frame in range(len(counts))
        ]
        width, height = arrays['size'].tolist()
        return FoundPeople(
            people,
            arrays['times'].tolist(),
            (width, height),
            bool(arrays['complete']),
            str(arrays['ended']),
        )
    except (KeyError, ValueError, OSError):
        return None  # it is only a cache
