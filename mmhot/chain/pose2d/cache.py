"""Cache of the 2D keypoints of clips, and descriptions of files and models."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.chain.pose2d.footage import ClipPeople
from mmhot.errors import escape, explain
from mmhot.io.arrays import load_arrays, save_arrays
from mmhot.io.atomic import CACHE_FOLDER
from mmhot.structures.people import People

_LOGGER = logging.getLogger(__name__)

# Bytes of an input's name within the name of a file; most systems allow 255 in all.
_LONGEST_NAME = 120
# Bytes of each sample that is hashed; files may differ but have equal sizes and dates.
_SAMPLE = 4096
_STATE = ('size', 'complete', 'ended', 'first')
_PEOPLE = ('bboxes', 'bbox_scores', 'keypoints', 'scores')


def save_if_possible(
    save: Callable[[Any, Path], None], content: Any, path: Path | None
) -> None:
    """Save a file that can be computed again; an OSError is only a warning.

    Args:
        save (Callable): Saves the content under a path.
        content (Any): The content.
        path (Path, optional): The file; None to save nothing.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(content, path)
    except OSError as error:
        _LOGGER.warning('intermediate results are not kept: %s', explain(error))


def cache_path(folder: Path, source: Path, facts: object, suffix: str = '.npz') -> Path:
    """Name a file that is kept in the folder of results for an input.

    Args:
        folder (Path): Folder of the results.
        source (Path): File, folder or address of the input.
        facts (object): Plain values on which the content depends, other than the input.
        suffix (str): Suffix of the file.

    Returns:
        Path: A path in the cache folder; the file may not exist.
    """
    stem = escape(source.resolve().stem, '_').encode()
    name = stem[:_LONGEST_NAME].decode(errors='ignore')
    files = sorted(source.glob('[!.]*')) if source.is_dir() else [source]
    content: list[object] = [describe_file(file) for file in files if file.is_file()]
    text = json.dumps([content or [str(source)], facts], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return folder / CACHE_FOLDER / f'{name}-{key}{suffix}'


def require_own(path: Path) -> Path:
    """Return the path of a kept file; raise ValueError if it is a link to another."""
    if path.is_symlink():
        raise ValueError(f'{escape(path)} is a link')
    return path


def describe_file(file: Path) -> list:
    """Describe a file by plain values that differ if it is changed.

    Returns:
        list: Path, size in bytes, date in nanoseconds and a digest of samples.
    """
    status = file.stat()
    digest = hashlib.sha256()
    with file.open('rb') as content:
        for start in range(0, status.st_size, max(status.st_size // 8, _SAMPLE)):
            content.seek(start)
            digest.update(content.read(_SAMPLE))
    samples = digest.hexdigest()[:16]
    return [str(file.resolve()), status.st_size, status.st_mtime_ns, samples]


def identify(name: str, weights: str | Path, **options: Any) -> dict[str, Any]:
    """Describe a model by plain values that differ if its file was changed.

    Args:
        name (str): Name of the model.
        weights (str | Path): File of the weights, or their digest.
        **options (Any): Everything else that changes the results.

    Returns:
        dict[str, Any]: ``name``, ``weights``, and the options.
    """
    path = Path(weights)
    content = describe_file(path) if path.is_file() else str(weights)
    return {'name': name, 'weights': content, **options}


def save_people(clip: ClipPeople, path: Path) -> None:
    """Save the frames so far, also of an interrupted run.

    Args:
        clip (ClipPeople): The clip; it has at least one frame.
        path (Path): The file, which is replaced as a whole.

    Raises:
        OSError: If it cannot be written.
    """
    # An interruption may come between a frame's people and its time.
    count = min(len(clip.people), len(clip.times))
    people = clip.people[:count]
    arrays = {
        'counts': np.array([len(frame) for frame in people]),
        'times': np.array(clip.times[:count]),
        'cuts': np.array([cut for cut in clip.cuts if cut < count], int),
        **{name: np.array(getattr(clip, name)) for name in _STATE},
        **vars(people[0].join(*people[1:])),
    }
    for key, observed in clip.observed.items():
        arrays |= {f'{key}:{name}': array for name, array in observed.items()}
    save_arrays(path, arrays)


def load_people(path: Path, skeleton: str = '') -> ClipPeople | None:
    """Load a clip that was saved by :func:`save_people`.

    Args:
        path (Path): The file.
        skeleton (str): Joint order of the keypoints.

    Returns:
        ClipPeople | None: The clip; None if the file is missing, or, with a warning, if
        it is damaged.
    """
    if not path.is_file():
        return None
    try:
        arrays = load_arrays(require_own(path))
        everyone = People(*(arrays[name] for name in _PEOPLE))
        counts = arrays['counts']
        rows = np.split(np.arange(len(everyone)), counts.cumsum())[: len(counts)]
        width, height = arrays['size'].tolist()
        clip = ClipPeople(
            [everyone.take(frame_rows) for frame_rows in rows],
            arrays['times'].tolist(),
            (width, height),
            bool(arrays['complete']),
            str(arrays['ended']),
            arrays['cuts'].tolist(),
            first=int(arrays['first']),
            skeleton=skeleton,
        )
    except (LookupError, OSError, OverflowError, TypeError, ValueError):
        _LOGGER.warning('%s is damaged: it is computed again', path)
        return None
    for name, array in arrays.items():
        key, separator, name = name.partition(':')
        if separator:
            clip.observed.setdefault(key, {})[name] = array
    return clip
