"""Reader of animated .glb files, by the specification of glTF 2.0."""

import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation

COLUMNS = {'SCALAR': 1, 'VEC3': 3, 'VEC4': 4, 'MAT4': 16}
TYPES = {5121: '<u1', 5123: '<u2', 5126: '<f4'}


class Glb:
    """Document and arrays of a file."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, length = struct.unpack('<4sII', data[:12])
        assert (magic, version, length) == (b'glTF', 2, len(data))
        size, kind = struct.unpack('<I4s', data[12:20])
        assert kind == b'JSON'
        assert size % 4 == 0
        self.document = json.loads(data[20 : 20 + size])
        assert data[24 + size : 28 + size] == b'BIN\0'
        self.binary = data[28 + size :]
        assert len(self.binary) == self.document['buffers'][0]['byteLength']
        self.nodes = self.document['nodes']
        self.parents = {
            child: number
            for number, node in enumerate(self.nodes)
            for child in node.get('children', ())
        }

    def array(self, accessor):
        accessor = self.document['accessors'][accessor]
        view = self.document['bufferViews'][accessor['bufferView']]
        columns, kind = COLUMNS[accessor['type']], TYPES[accessor['componentType']]
        count = accessor['count'] * columns
        values = np.frombuffer(self.binary, kind, count, view['byteOffset'])
        return values.reshape(-1, columns).squeeze()

    def channels(self, animation=0):
        """(node, path): times and values."""
        content = self.document['animations'][animation]
        return {
            (each['target']['node'], each['target']['path']): tuple(
                self.array(content['samplers'][each['sampler']][end])
                for end in ('input', 'output')
            )
            for each in content['channels']
        }

    def matrices(self, node, channels, frame):
        """Transform (4, 4) from a node to the world at a key of its animation."""
        matrix = np.eye(4)
        here = self.nodes[node]
        turn, place = (0, 0, 0, 1), here.get('translation', (0, 0, 0))
        if (node, 'rotation') in channels:
            turn = channels[node, 'rotation'][1][frame]
        if (node, 'translation') in channels:
            place = channels[node, 'translation'][1][frame]
        matrix[:3, :3] = Rotation.from_quat(turn).as_matrix()
        matrix[:3, 3] = place
        if node in self.parents:
            return self.matrices(self.parents[node], channels, frame) @ matrix
        return matrix
