"""Focal lengths that phones write into ``.mov`` and ``.mp4`` files, for each track.

FFmpeg reads keys of whole files only.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mmhot.io.images import plausible_focal

_FOCAL = b'com.apple.quicktime.camera.focal_length.35mm_equivalent'
# Bytes of the index of a video of hours, and boxes in another one.
_MAX_INDEX, _MAX_BOXES = 64 << 20, 10_000
# Types of values: text, and numbers in floating point; others are integers.
_TEXT, _FLOATS = 1, {23: '>f', 24: '>d'}


def read_focal_35mm(path: Path) -> float | None:
    """Read the 35 mm equivalent focal length of a video's camera, or None."""
    with suppress(OSError, ValueError, LookupError, OverflowError, struct.error):
        data = _read_index(path)
        for kind, start, end in _boxes(data, 0, len(data)):
            children = [(kind, start, end)]
            if kind == b'trak':
                children = [*_boxes(data, start, end)]
            for name, *bounds in children:
                value = _find_value(data, *bounds) if name == b'meta' else None
                if value is not None:
                    return plausible_focal(value)
    return None


def _read_index(path: Path) -> bytes:
    """Return the content of the ``moov`` box; empty without one."""
    with path.open('rb') as file:
        while len(header := file.read(8)) == 8:
            size, kind = struct.unpack('>I4s', header)
            used = 8
            if size == 1:
                size, used = struct.unpack('>Q', file.read(8))[0], 16
            if size < used or not kind.isalnum():
                break
            if kind == b'moov':
                return file.read(min(size - used, _MAX_INDEX))
            file.seek(size - used, 1)
    return b''


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box in a range."""
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from('>I4s', data, start)
        if not 8 <= size <= end - start:
            return
        yield kind, start + 8, start + size
        start += size


def _find_value(data: bytes, start: int, end: int) -> str | float | None:
    """Return the focal length among the keys and values of a ``meta`` box."""
    # in .mp4 a version comes first
    start += 0 if data[start + 4 : start + 8] == b'hdlr' else 4
    parts = {kind: bounds for kind, *bounds in _boxes(data, start, end)}
    first, last = parts[b'keys']
    keys = [data[at:stop] for _, at, stop in _boxes(data, first + 8, last)]
    if _FOCAL not in keys:
        return None
    number = struct.pack('>I', keys.index(_FOCAL) + 1)
    for kind, first, last in _boxes(data, *parts[b'ilst']):
        if kind == number:
            [(_, at, stop), *_] = _boxes(data, first, last)
            return _decode(int.from_bytes(data[at : at + 4]), data[at + 8 : stop])
    return None


def _decode(kind: int, value: bytes) -> str | float:
    if kind == _TEXT:
        return value.decode('ascii', 'replace')
    if kind in _FLOATS:
        return struct.unpack(_FLOATS[kind], value)[0]
    return int.from_bytes(value)
