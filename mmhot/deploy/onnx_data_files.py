"""Files that an ONNX model names for its weights, checked before these are opened."""

import mmap
from collections.abc import Iterator
from pathlib import Path

# Fields of Protocol Buffers that lead to external data, by message, as in onnx.proto.
_FIELDS = {
    'model': {7: 'graph', 20: 'training', 25: 'function'},
    'training': {1: 'graph', 2: 'graph'},
    'function': {7: 'node', 11: 'attribute'},
    'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
    'node': {5: 'attribute'},
    'attribute': {
        **{5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph'},
        **{22: 'sparse', 23: 'sparse'},
    },
    'sparse': {1: 'tensor', 2: 'tensor'},
    'tensor': {13: 'entry'},
}
_KEY, _VALUE, _LOCATION = 1, 2, b'location'
_VARINT, _LENGTH, _FIXED = 0, 2, {1: 8, 5: 4}
_MAX_DEPTH = 100


def check_data_files(path: Path) -> None:
    """Refuse a model that names other data files than its own beside it.

    Raises:
        ValueError: If a file lies in another folder, is missing or a link, or has a
            name that the model's does not begin with; or if the model is damaged.
    """
    with path.open('rb') as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # empty, which ONNX Runtime names
            return
        with content:
            if content.find(_LOCATION) < 0:
                return
            try:
                names = set(_locations(content, 0, len(content), 'model'))
            except ValueError as error:
                reason = f'{path} is not a readable ONNX model: {error}'
                raise ValueError(reason) from error
    for name in sorted(names):
        data = path.parent / name
        # PyTorch's is NAME.onnx.data; those of one file's variants are shared
        is_own = data.name == name and path.name.startswith(Path(name).stem)
        if not is_own or data.is_symlink() or not data.is_file():
            raise ValueError(
                f'{path} names the file {name!r:.100} for its weights, which must lie '
                'beside it, be no link, and begin with its name'
            )


def _locations(
    data: mmap.mmap, start: int, end: int, kind: str, depth: int = 0
) -> Iterator[str]:
    """Yield the ``location`` of external data in a message."""
    if depth > _MAX_DEPTH:
        raise ValueError('nested too deeply')
    key = value = b''
    for number, first, last in _fields(data, start, end):
        if kind == 'entry':
            key = data[first:last] if number == _KEY else key
            value = data[first:last] if number == _VALUE else value
        elif (inner := _FIELDS[kind].get(number)) and (
            # found in C: most messages, such as nodes, name no file
            data.find(_LOCATION, first, last) >= 0
        ):
            yield from _locations(data, first, last, inner, depth + 1)
    if key == _LOCATION:
        yield value.decode(errors='surrogateescape')


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that have a length."""
    while start < end:
        tag, start = _varint(data, start)
        if tag & 7 == _VARINT:
            _, start = _varint(data, start)
        elif tag & 7 in _FIXED:
            start += _FIXED[tag & 7]
        elif tag & 7 == _LENGTH:
            length, start = _varint(data, start)
            if start + length > end:
                raise ValueError('damaged')
            yield tag >> 3, start, start + length
            start += length
        else:
            raise ValueError('an unknown kind of field')


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while start < len(data) and shift < 70:
        byte = data[start]
        value |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return value & (1 << 64) - 1, start
    raise ValueError('damaged')
