"""Recognition of result files, which are no inputs of the next run."""

import logging
import zipfile
from collections.abc import Sequence
from os.path import isfile  # False for names that are too long
from pathlib import Path

from mmhot.io.images import MARK, open_media
from mmhot.structures.formats import WRITERS

_LOGGER = logging.getLogger(__name__)
# Text in the first bytes of results, by suffix; formats without one are results of
# motion capture in any case, which are no inputs either.
_START = 1 << 14
_SIGNS = {
    '.json': b'"focal_assumed": ',
    '.png': b'tEXtSoftware\0' + MARK.encode(),
    '.csv': b'frame,time,track,',
    '.html': f'<meta name="generator" content="{MARK}">'.encode(),
}


def is_result(path: Path) -> bool:
    """Whether a file is a result of mmhot, by its content or a suffix of results."""
    suffix = path.suffix.lower()
    if suffix not in ('.npz', '.mp4', *_SIGNS):
        return suffix == '.jsonl' or suffix[1:] in WRITERS
    try:
        if suffix == '.mp4':
            return _has_mark(path)
        if suffix == '.npz':
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
            return {'keypoints_3d.npy', 'focal_assumed.npy'} <= names
        with path.open('rb') as file:
            return _SIGNS[suffix] in file.read(_START)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False


def _has_mark(path: Path) -> bool:
    import av

    try:
        with open_media(str(path)) as container:
            return container.metadata.get('comment') == MARK
    except (av.error.FFmpegError, OSError):
        return False


def without_results(paths: Sequence[Path]) -> list[Path]:
    """Leave out result files of mmhot, with a line that names them."""
    results = [path for path in paths if isfile(path) and is_result(path)]
    if results:
        more = f' and {len(results) - 1} more' if len(results) > 1 else ''
        verb = 'are results' if more else 'is a result'
        _LOGGER.warning('%s%s %s of mmhot: skipped', results[0], more, verb)
    return [path for path in paths if path not in set(results)]
