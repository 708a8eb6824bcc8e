"""Files that try to stop, fill up or deceive their reader."""

import copy
import json
import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import av
import numpy as np

SIZE = (1280, 720)


class Bomb:
    """An object whose pickle creates the file ``executed`` when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ('executed',)


def poses(count: int = 3, joints: int = 17) -> np.ndarray:
    """Make keypoints (T, K, 2) inside the image."""
    return np.random.default_rng(0).uniform(100, 600, (count, joints, 2))


def npz(path: Path, **arrays: object) -> None:
    """Write keypoints with some arrays replaced; None leaves one out."""
    right = {'keypoints': poses(), 'width': SIZE[0], 'height': SIZE[1], 'fps': 25.0}
    arrays = {k: v for k, v in (right | arrays).items() if v is not None}
    np.savez_compressed(path, **arrays)


def npz_with(path: Path, member: bytes, name: str = 'keypoints', **zipped: int) -> None:
    """Write keypoints, one array being given as the bytes of its member."""
    npz(path, **{name: None})
    with zipfile.ZipFile(path, 'a', **zipped) as archive:
        archive.writestr(f'{name}.npy', member)


def npz_of_zeros(path: Path, shape: tuple[int, ...], name: str = 'keypoints') -> None:
    """Write an array of zeros, one byte each, that is compressed a thousandfold."""
    npz(path, **{name: None})
    with (
        zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f'{name}.npy', 'w', force_zip64=True) as member,
    ):
        member.write(npy_header(shape, '|i1'))
        rest, zeros = int(np.prod(shape)), bytes(1 << 20)
        while rest > 0:
            rest -= member.write(zeros[:rest])


def npy_header(shape: tuple[int, ...], kind: str = '<f8') -> bytes:
    """Return the header of an array without its values."""
    data = BytesIO()
    header = {'descr': kind, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(data, header)
    return data.getvalue()


def video_document() -> list[dict]:
    """Make MMPose's predictions of a video."""
    return [
        {'frame_id': index, 'instances': [_instance(pose.tolist())]}
        for index, pose in enumerate(poses())
    ]


def _instance(pose: list) -> dict:
    scores = [0.9] * len(pose)
    return {'keypoints': pose, 'keypoint_scores': scores, 'bbox': [[1, 2, 300, 400]]}


def coco_document() -> dict:
    """Make COCO annotations of one image."""
    values = np.c_[poses(1)[0], np.full(17, 2)].ravel().tolist()
    person = {'id': 1, 'image_id': 1, 'category_id': 1, 'keypoints': values}
    image = {'id': 1, 'width': SIZE[0], 'height': SIZE[1], 'file_name': 'a.jpg'}
    return {
        'images': [image],
        'annotations': [person | {'bbox': [1, 2, 300, 400], 'track_id': 1}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose']}],
    }


def places(document: object, limit: int = 1) -> Iterator[tuple]:
    """Yield the paths of all values of a document, of lists only the first ones."""
    keys = document if isinstance(document, dict) else ()
    for key in range(len(document))[:limit] if isinstance(document, list) else keys:
        yield (key,)
        for rest in places(document[key], limit):
            yield (key, *rest)


def replaced(document: object, path: tuple, value: object) -> object:
    """Return a copy of a document with one value replaced."""
    document = holder = copy.deepcopy(document)
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


def png(path: Path, width: int, height: int, rows: int | None = None) -> None:
    """Write a PNG that states any size and holds some rows of it."""
    packer, row = zlib.compressobj(1), bytes(width + 1)
    data = b''.join(packer.compress(row) for _ in range(rows or height))
    chunks = [b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)]
    chunks += [b'IDAT' + data + packer.flush(), b'IEND']
    parts = [
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in chunks
    ]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(parts))


def image(path: Path, width: int = 64, height: int = 48) -> None:
    """Write a gray image in the format of the suffix."""
    from PIL import Image

    Image.new('RGB', (width, height), (90, 120, 200)).save(path)


def video(
    path: Path, codec: str = 'mpeg4', frames: int = 5, size: tuple[int, int] = (64, 48)
) -> None:
    """Write a gray video."""
    kinds = {'png': 'rgb24', 'mjpeg': 'yuvj420p', 'ffv1': 'bgr0'}
    with av.open(str(path.absolute()), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = kinds.get(codec, 'yuv420p')
        frame = av.VideoFrame(*size, format=stream.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def nested(depth: int) -> str:
    """Return JSON of lists in lists."""
    return '[' * depth + ']' * depth


def aliases(levels: int = 9) -> str:
    """Return YAML whose few lines expand to 10**levels values."""
    lines = ['a0: &a0 [1,1,1,1,1,1,1,1,1,1]']
    for level in range(1, levels):
        many = ','.join([f'*a{level - 1}'] * 10)
        lines.append(f'a{level}: &a{level} [{many}]')
    return '\n'.join([*lines, f'camera_matrix: *a{levels - 1}'])


def pickled(path: Path) -> None:
    """Write a pickle that runs code, as a checkpoint or whatever the suffix says."""
    path.write_bytes(pickle.dumps(Bomb()))


def special(path: Path, kind: str) -> None:
    """Make a pipe, socket, folder or link that is no file."""
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'socket':
        here = os.getcwd()
        os.chdir(path.parent)  # addresses of sockets are short
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(here)
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == 'loop' else kind)


def dump(path: Path, document: object) -> None:
    """Write JSON; floats may be infinite."""
    path.write_text(json.dumps(document))


def damaged(path: Path, make: Callable[[Path], None], seed: int) -> None:
    """Write a file, cut if the seed is even, with one byte in 100 changed if odd."""
    whole, random = path.with_name(f'whole{path.suffix}'), np.random.default_rng(seed)
    make(whole)
    content = bytearray(whole.read_bytes())
    whole.unlink()
    if seed % 2 == 0:
        del content[int(random.uniform(0.02, 0.98) * len(content)) :]
    else:
        for place in random.integers(0, len(content), max(len(content) // 100, 4)):
            content[place] = random.integers(256)
    path.write_bytes(content)
