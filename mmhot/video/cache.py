"""2D keypoints and tracks that were found before, kept beside the results."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmhot.clips import Track2D
from mmhot.io.arrays import load_arrays, save_arrays
from mmhot.video.people import People

FOLDER = '.mmhot-cache'
_LOGGER = logging.getLogger(__name__)
_STATE = ('size', 'complete', 'ended')
_OF_PEOPLE = ('bboxes', 'bbox_scores', 'keypoints', 'scores')
_OF_TRACKS = ('frames', 'keypoints', 'scores', 'bboxes')
# Bytes at either end of a file that tell it from others of the same size and date.
_SAMPLE = 1 << 16
# Seconds after which what was found is kept, in case of an interruption; longer where
# keeping would take more than a fiftieth of the time.
_KEEP_EVERY, _MOST_SHARE = 20.0, 0.02


@dataclass
class FoundPeople:
    """The people of a clip's frames, as far as they were looked for.

    Attributes:
        people (list[People]): Of each frame.
        times (list[float]): Seconds at which each frame was taken.
        size (tuple[int, int]): Width and height of the picture in pixels.
        complete (bool): Whether all frames were looked at.
        ended (str): Why reading ended early; empty if it did not.
        cuts (list[int]): Frames with which another shot begins.
    """

    people: list[People] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    complete: bool = False
    ended: str = ''
    cuts: list[int] = field(default_factory=list)


class Keeper:
    """Keeps what is found while the search goes on; a full disk does not stop it.

    Args:
        found (FoundPeople): What is kept.
        path (Path, optional): The file; without, nothing is kept.
    """

    def __init__(self, found: FoundPeople, path: Path | None) -> None:
        self._found, self._path = found, path
        self._due = time.monotonic() + _KEEP_EVERY
        self._warned = False

    def keep_if_due(self) -> None:
        """Keep it if that is some time ago."""
        if time.monotonic() >= self._due:
            self.keep()

    def keep(self) -> None:
        """Keep all of it, unless there is nothing."""
        if self._path is None or not self._found.times:
            return
        begin = time.monotonic()
        kept = keep_if_possible(
            lambda: save_found(self._found, self._path), self._warned
        )
        self._warned |= not kept
        now = time.monotonic()
        self._due = now + max(_KEEP_EVERY, (now - begin) / _MOST_SHARE)


def keep_if_possible(save: Callable[[], None], quiet: bool = False) -> bool:
    """Save something that can be found again; warn if that fails, and go on.

    Args:
        save (Callable): Raises OSError if the disk is full, for example.
        quiet (bool): Whether not to warn, as that was said before.

    Returns:
        bool: Whether it was saved.
    """
    try:
        save()
    except OSError as error:
        if not quiet:
            _LOGGER.warning('2D keypoints and tracks are not kept: %s', error)
        return False
    return True


def cache_path(folder: Path, source: Path, facts: dict) -> Path:
    """Name the file that keeps what was found in one input with certain models.

    Args:
        folder (Path): Of the results.
        source (Path): The input: a file, a folder of pictures, or an address.
        facts (dict): Everything else that the keypoints depend on; plain values.
            Boxes depend on all of it but ``'estimator'``.

    Returns:
        Path: Another for other bytes, another date or other facts; its name begins
        alike where only the estimator is another.
    """
    boxes = {name: fact for name, fact in facts.items() if name != 'estimator'}
    parts = digest(describe(source), boxes), digest(facts.get('estimator'))
    return folder / FOLDER / f'{source.resolve().stem}-{"-".join(parts)}.npz'


def tracks_path(found: Path) -> Path:
    """Name the file that keeps the tracks of what another file keeps."""
    return found.with_suffix('.tracks.npz')


def describe(source: Path) -> list:
    """Tell an input from all others, and from itself after it was changed.

    Args:
        source (Path): A file, a folder of files, or what is no path at all.

    Returns:
        list: Plain values.
    """
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    found = [_describe_file(file) for file in files if file.is_file()]
    return found or [str(source)]


def digest(*values: object) -> str:
    """Shorten plain values to a text that is another for other values."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe_file(file: Path) -> list:
    status = file.stat()
    with file.open('rb') as opened:
        sample = opened.read(_SAMPLE)
        opened.seek(max(status.st_size - _SAMPLE, 0))
        sample += opened.read(_SAMPLE)
    shortened = hashlib.sha256(sample).hexdigest()
    return [str(file.resolve()), status.st_size, status.st_mtime_ns, shortened]


def save_found(found: FoundPeople, path: Path) -> None:
    """Keep what was found so far, whole or not at all."""
    # an interruption may have come between a frame's people and its time
    count = min(len(found.people), len(found.times))
    people = found.people[:count]
    arrays = {
        'counts': np.array([len(each) for each in people], np.int64),
        'times': np.array(found.times[:count], np.float64),
        'cuts': np.array([cut for cut in found.cuts if cut < count], np.int64),
        **{name: np.array(getattr(found, name)) for name in _STATE},
        **_joined([each for each in people if len(each)], _OF_PEOPLE),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(path, arrays)


def load_found(path: Path, num_keypoints: int) -> FoundPeople | None:
    """Load what was kept.

    Args:
        path (Path): The file.
        num_keypoints (int): Of the model; frames without anybody need to know.

    Returns:
        FoundPeople | None: None if nothing was kept or it cannot be read.
    """
    try:
        arrays = load_arrays(path, ('counts', 'times', 'cuts', *_STATE, *_OF_PEOPLE))
        shapes = ((-1, 4), (-1,), (-1, num_keypoints, 2), (-1, num_keypoints))
        people = [People(*each) for each in _split(arrays, _OF_PEOPLE, shapes)]
        width, height = arrays['size'].tolist()
        return FoundPeople(
            people,
            arrays['times'].tolist(),
            (width, height),
            bool(arrays['complete']),
            str(arrays['ended']),
            arrays['cuts'].tolist(),
        )
    except (KeyError, ValueError, OSError):
        return None  # it is only a cache


def load_boxes(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes that were kept together with the keypoints of any other 2D model.

    Args:
        path (Path): Where this 2D model's results are kept, see :func:`cache_path`.

    Returns:
        list[tuple[np.ndarray, np.ndarray]]: Boxes (P, 4) and scores (P,) of each frame
        from the first; as many as are known.
    """
    alike = path.name.rpartition('-')[0] + '-'
    best: list[tuple[np.ndarray, np.ndarray]] = []
    for other in sorted(path.parent.iterdir()) if path.parent.is_dir() else []:
        if not other.name.startswith(alike) or other.name.endswith('.tracks.npz'):
            continue
        names = ('bboxes', 'bbox_scores')
        try:
            arrays = load_arrays(other, ('counts', *names))
            boxes = _split(arrays, names, ((-1, 4), (-1,)))
        except (KeyError, ValueError, OSError):
            continue
        best = max(best, boxes, key=len)
    return best


def save_tracks(tracks: list[Track2D], path: Path, rules: int) -> None:
    """Save the tracks of a clip, which have boxes, with the rules that made them."""
    arrays = {
        'counts': np.array([len(track.frames) for track in tracks], np.int64),
        'track': np.array([track.track for track in tracks], np.int64),
        'rules': np.array(rules),
        **_joined(tracks, _OF_TRACKS),
    }
    save_arrays(path, arrays)


def load_tracks(path: Path, num_keypoints: int, rules: int) -> list[Track2D] | None:
    """Load what :func:`save_tracks` saved; None if nothing, or by other rules."""
    try:
        arrays = load_arrays(path, ('counts', 'track', 'rules', *_OF_TRACKS))
        if arrays['rules'] != rules:
            return None
        shapes = ((-1,), (-1, num_keypoints, 2), (-1, num_keypoints), (-1, 4))
        split = _split(arrays, _OF_TRACKS, shapes)
        numbers = arrays['track'].tolist()
        return [Track2D(n, *own) for n, own in zip(numbers, split, strict=True)]
    except (KeyError, ValueError, OSError):
        return None


def _joined(parts: Sequence, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of objects, one after the other."""
    values = {name: [getattr(part, name) for part in parts] for name in names}
    empty = np.zeros(0, np.float32)
    return {name: np.concatenate(own) if own else empty for name, own in values.items()}


def _split(
    arrays: dict[str, np.ndarray], names: Sequence[str], shapes: Sequence[tuple]
) -> list[tuple[np.ndarray, ...]]:
    """The reverse: ``counts`` rows of each array for each object."""
    ends = arrays['counts'].cumsum()[:-1]
    columns = [
        np.split(arrays[name].reshape(shape), ends)[: len(arrays['counts'])]
        for name, shape in zip(names, shapes, strict=True)
    ]
    return list(zip(*columns, strict=True))
