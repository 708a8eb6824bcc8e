"""Binary glTF 2.0 containers (``.glb``): a JSON document with arrays."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.atomic import replacing

_MAGIC, _VERSION = b'glTF', 2
_KINDS = {1: 'SCALAR', 2: 'VEC2', 3: 'VEC3', 4: 'VEC4', 16: 'MAT4'}
_COMPONENTS = {'u1': 5121, 'u2': 5123, 'u4': 5125, 'f4': 5126}
VERTICES, INDICES = 34962, 34963
"""Targets of arrays of meshes."""


class Gltf:
    """Document under construction.

    Attributes:
        document (dict): The JSON part, by the names of the specification.
        animation (dict): Samplers and channels of the animation.
    """

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            'asset': {'version': '2.0', 'generator': 'mmhot'}
        }
        self.animation: dict[str, list] = {'samplers': [], 'channels': []}
        self._data: list[bytes] = []
        self._size = 0

    def add(self, kind: str, **item: Any) -> int:
        """Append an item to a list of the document, such as ``'nodes'``: its index."""
        items = self.document.setdefault(kind, [])
        items.append(item)
        return len(items) - 1

    def add_array(
        self, array: np.ndarray, target: int | None = None, bounds: bool = False
    ) -> int:
        """Append an array (N,) or (N, C), and return the index of its accessor.

        Numbers are uint8, uint16, uint32 or float32. The target is ``VERTICES`` or
        ``INDICES``, for meshes; ``bounds`` states minimum and maximum.
        """
        array = np.ascontiguousarray(array)
        kind = array.dtype.newbyteorder('<')
        data = array.astype(kind, copy=False).tobytes()
        view = dict(buffer=0, byteOffset=self._size, byteLength=len(data))
        if target is not None:
            view['target'] = target
        columns = array.reshape(len(array), -1)
        accessor = dict(
            bufferView=self.add('bufferViews', **view),
            componentType=_COMPONENTS[kind.str[1:]],
            count=len(array),
            type=_KINDS[columns.shape[1]],
        )
        if bounds:
            accessor['min'] = columns.min(0).tolist()
            accessor['max'] = columns.max(0).tolist()
        padding = -len(data) % 4
        self._data.append(data + bytes(padding))
        self._size += len(data) + padding
        return self.add('accessors', **accessor)

    def add_channel(
        self, node: int, path: str, times: int, values: np.ndarray, way: str = 'LINEAR'
    ) -> None:
        """Animate a node's 'translation', 'rotation' or 'scale', (T, C) float32.

        Times are the accessor of the keys' seconds; the way is that of interpolation.
        """
        samplers = self.animation['samplers']
        target = dict(node=node, path=path)
        self.animation['channels'].append(dict(sampler=len(samplers), target=target))
        accessor = self.add_array(values)
        samplers.append(dict(input=times, output=accessor, interpolation=way))

    def save(self, path: str | Path) -> None:
        """Write the file at a path, which is created or replaced."""
        document = {**self.document, 'buffers': [{'byteLength': self._size}]}
        written = json.dumps(document, ensure_ascii=False, separators=(',', ':'))
        text = written.encode('utf-8', 'backslashreplace')
        text += b' ' * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + self._size
        with replacing(path) as temporary, temporary.open('wb') as file:
            file.write(struct.pack('<4sII', _MAGIC, _VERSION, length))
            file.write(struct.pack('<I4s', len(text), b'JSON') + text)
            file.write(struct.pack('<I4s', self._size, b'BIN\0'))
            file.writelines(self._data)
