"""Cache of 2D keypoints and tracks, and digests of inputs and files."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import require_file
from mmhot.io.arrays import load_arrays, save_arrays
from mmhot.io.atomic import CACHE_FOLDER
from mmhot.structures.clips import Track2D
from mmhot.video.people import Boxes, FrameObserver, People

_LOGGER = logging.getLogger(__name__)
_CHECKSUM = 'checksum'
# Bytes of an input's name within the name of a file; most systems allow 255 in all.
_LONGEST_NAME = 120
_STATE = ('size', 'complete', 'ended')
_PEOPLE_ARRAYS = ('bboxes', 'bbox_scores', 'keypoints', 'scores')
_TRACK_ARRAYS = ('frames', 'keypoints', 'scores', 'bboxes')
# Blocks, evenly over a file, that go into its digest, and their bytes in a file and in
# each file of a folder; smaller files are read as a whole.
_NUM_BLOCKS, _BLOCK, _BLOCK_IN_FOLDER = 64, 1 << 16, 1 << 12
# Seconds between two writes, and largest share of the time that writing may take.
_WRITE_INTERVAL, _MAX_WRITE_SHARE = 20.0, 0.02


@dataclass
class ClipPeople:
    """The people of the frames of a clip, as far as it was processed.

    Attributes:
        people (list[People]): People of each frame.
        times (list[float]): Time of each frame in seconds.
        size (tuple[int, int]): Width and height of the frames in pixels.
        complete (bool): Whether all frames were processed.
        ended (str): Why reading ended early, or nothing.
        cuts (list[int]): Frames with which another shot begins.
        observed (dict[str, dict[str, np.ndarray]]): Arrays of each observer by name.
    """

    people: list[People] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    complete: bool = False
    ended: str = ''
    cuts: list[int] = field(default_factory=list)
    observed: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


class CacheWriter:
    """Write a growing clip to its cache file every few seconds."""

    def __init__(self, people: ClipPeople, path: Path | None) -> None:
        self._people, self._path = people, path
        self._due = time.monotonic() + _WRITE_INTERVAL
        self._warned = False

    def write_if_due(self) -> None:
        """Write unless the last time was a moment ago."""
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write all frames; a full disk does not interrupt the work."""
        if self._path is None or not self._people.times:
            return
        begin = time.monotonic()
        written = save_if_possible(
            lambda: save_people(self._people, self._path), self._warned
        )
        self._warned |= not written
        now = time.monotonic()
        self._due = now + max(_WRITE_INTERVAL, (now - begin) / _MAX_WRITE_SHARE)


def save_if_possible(save: Callable[[], None], quiet: bool = False) -> bool:
    """Call a function that saves what can be computed again; warn of an OSError."""
    try:
        save()
    except OSError as error:
        if not quiet:
            _LOGGER.warning('2D keypoints and tracks are not cached: %s', error)
        return False
    return True


def cache_path(folder: Path, source: Path, facts: dict) -> Path:
    """Name the cache file of an input.

    Args:
        folder (Path): Folder of the results.
        source (Path): The input: a file, a folder of images, or an address.
        facts (dict): Plain values on which keypoints depend, and boxes but for
            ``'estimator'``: with another one only the end of the name differs.
    """
    boxes = {name: fact for name, fact in facts.items() if name != 'estimator'}
    parts = digest(file_facts(source), boxes), digest(facts.get('estimator'))
    name = f'{short_name(source.resolve().stem)}-{"-".join(parts)}.npz'
    return folder / CACHE_FOLDER / name


def short_name(name: str) -> str:
    """Cut a name, so that suffixes do not make it longer than file systems allow."""
    return name.encode()[:_LONGEST_NAME].decode(errors='ignore')


def tracks_path(people_path: Path) -> Path:
    """Name the file of the tracks that belong to a file of people."""
    return people_path.with_suffix('.tracks.npz')


def file_facts(source: Path) -> list:
    """Describe the content of a file or folder by plain values, quickly."""
    files = [source]
    if source.is_dir():
        files = sorted(source.glob('[!.]*'))
    block = _BLOCK_IN_FOLDER if source.is_dir() else _BLOCK
    described = [describe_file(file, block) for file in files if file.is_file()]
    return described or [str(source)]


def describe_file(file: Path, block: int = _BLOCK) -> list:
    """Describe a file by its path, size, date and a digest of samples.

    Args:
        file (Path): The file.
        block (int): Bytes of each sample.
    """
    status, content = file.stat(), hashlib.sha256()
    last = max(status.st_size - block, 0)
    num_blocks = min(_NUM_BLOCKS, -(-status.st_size // block))
    with file.open('rb') as opened:
        for index in range(num_blocks):
            opened.seek(last * index // max(num_blocks - 1, 1))
            content.update(opened.read(block))
    place = str(file.resolve())
    return [place, status.st_size, status.st_mtime_ns, content.hexdigest()]


def digest(*values: object) -> str:
    """Compute a short SHA-256 of plain values."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identify(name: str, weights: str | Path, **options: Any) -> dict[str, Any]:
    """Describe a model by plain values that differ if its file was changed.

    Args:
        name (str): Its name.
        weights (str | Path): Its file, or a digest of its weights.
        **options (Any): Everything else that changes its results.
    """
    facts: dict[str, Any] = {'name': name, 'weights': str(weights), **options}
    path = Path(weights)
    if path.is_file():
        facts['weights'], *facts['file'] = describe_file(path)
    return facts


def save_people(clip: ClipPeople, path: Path) -> None:
    """Save the frames so far; the file is never there in part."""
    # an interruption may come between a frame's people and its time
    count = min(len(clip.people), len(clip.times))
    people = clip.people[:count]
    arrays = {
        'counts': np.array([len(each) for each in people], np.int64),
        'times': np.array(clip.times[:count], np.float64),
        'cuts': np.array([cut for cut in clip.cuts if cut < count], np.int64),
        **{name: np.array(getattr(clip, name)) for name in _STATE},
        **_concatenate([each for each in people if len(each)], _PEOPLE_ARRAYS),
    }
    _save(arrays, path)


def load_people(path: Path, num_keypoints: int) -> ClipPeople | None:
    """Load a clip of K keypoints; None if it is missing or was changed."""
    with _reading(path):
        arrays = _load(path)
        shapes = ((-1, 4), (-1,), (-1, num_keypoints, 2), (-1, num_keypoints))
        width, height = arrays['size'].tolist()
        return ClipPeople(
            [People(*each) for each in _split(arrays, _PEOPLE_ARRAYS, shapes)],
            arrays['times'].tolist(),
            (width, height),
            bool(arrays['complete']),
            str(arrays['ended']),
            arrays['cuts'].tolist(),
        )
    return None


def load_boxes(path: Path) -> list[Boxes]:
    """Load the boxes of the first frames from the cache of any 2D pose estimator."""
    prefix = path.name.rpartition('-')[0] + '-'
    names = ('bboxes', 'bbox_scores')
    best: list[Boxes] = []
    for other in sorted(path.parent.glob('*.npz')):
        is_other = other.name.endswith(('.tracks.npz', '.observed.npz'))
        if not other.name.startswith(prefix) or is_other:
            continue
        with _reading(other):
            best = max(best, _split(_load(other), names, ((-1, 4), (-1,))), key=len)
    return best


def save_tracks(tracks: list[Track2D], path: Path, rules: int) -> None:
    """Save the tracks of a clip with the version of the tracking rules."""
    arrays = {
        'counts': np.array([len(track.frames) for track in tracks], np.int64),
        'track': np.array([track.track for track in tracks], np.int64),
        'rules': np.array(rules),
        **_concatenate(tracks, _TRACK_ARRAYS),
    }
    _save(arrays, path)


def load_tracks(path: Path, num_keypoints: int, rules: int) -> list[Track2D] | None:
    """Load what :func:`save_tracks` saved; None if missing, changed or outdated."""
    with _reading(path):
        arrays = _load(path)
        if arrays['rules'] != rules:
            return None
        shapes = ((-1,), (-1, num_keypoints, 2), (-1, num_keypoints), (-1, 4))
        split = _split(arrays, _TRACK_ARRAYS, shapes)
        numbers = arrays['track'].tolist()
        return [Track2D(n, *own) for n, own in zip(numbers, split, strict=True)]
    return None


def save_observed(
    people_path: Path | None, observer: FrameObserver
) -> dict[str, np.ndarray]:
    """Return what an observer saw of all frames.

    Args:
        people_path (Path, optional): File of the people of these frames, beside which
            the arrays are saved, with the version of the results.
        observer (FrameObserver): The observer.
    """
    arrays = observer.arrays()
    if people_path:
        path, rules = _observed_path(people_path, observer), np.array(observer.rules)
        save_if_possible(lambda: _save({**arrays, 'rules': rules}, path))
    return arrays


def load_observed(
    people_path: Path | None, observer: FrameObserver
) -> dict[str, np.ndarray] | None:
    """Load what :func:`save_observed` saved; None if missing, changed or outdated."""
    if people_path is None:
        return None
    path = _observed_path(people_path, observer)
    with _reading(path):
        arrays = _load(path)
        return arrays if arrays.pop('rules') == observer.rules else None
    return None


def _observed_path(people_path: Path, observer: FrameObserver) -> Path:
    return people_path.with_suffix(f'.{observer.name}.observed.npz')


def _save(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Save arrays with their checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(path, {**arrays, _CHECKSUM: np.array(_checksum(arrays, path.name))})


def _load(path: Path) -> dict[str, np.ndarray]:
    """Load what :func:`_save` saved; ValueError if any value was changed."""
    arrays = load_arrays(require_file(path))
    if str(arrays.pop(_CHECKSUM)) != _checksum(arrays, path.name):
        raise ValueError('checksum')
    return arrays


def _checksum(arrays: dict[str, np.ndarray], name: str) -> str:
    # the name has the digest of the input and the models
    content = hashlib.sha256(os.fsencode(name))
    for name, array in sorted(arrays.items()):
        content.update(repr((name, array.dtype.str, array.shape)).encode())
        content.update(array.tobytes())
    return content.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Log that a file of the cache is not usable, unless there is none."""
    try:
        yield
    except (KeyError, ValueError, OSError):
        log_unusable(path)


def log_unusable(path: Path) -> None:
    """Log that a file of the cache is not usable, unless there is none."""
    if os.path.exists(path):  # False, unlike Path's, if its name is too long
        _LOGGER.warning('%s is damaged or was edited: it is computed again', path)


def _concatenate(parts: Sequence, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Concatenate the arrays of several objects."""
    values = {name: [getattr(part, name) for part in parts] for name in names}
    empty = np.zeros(0, np.float32)
    return {name: np.concatenate(own) if own else empty for name, own in values.items()}


def _split(
    arrays: dict[str, np.ndarray], names: Sequence[str], shapes: Sequence[tuple]
) -> list[tuple[np.ndarray, ...]]:
    """Split concatenated arrays into those of each object, by ``counts``."""
    ends = arrays['counts'].cumsum()[:-1]
    columns = [
        np.split(arrays[name].reshape(shape), ends)[: len(arrays['counts'])]
        for name, shape in zip(names, shapes, strict=True)
    ]
    return list(zip(*columns, strict=True))
