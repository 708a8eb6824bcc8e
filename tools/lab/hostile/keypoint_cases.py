"""Cases of hostile keypoint files and calibrations, and the form of all cases."""

import copy
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tools.lab.hostile import files
from tools.lab.hostile.streams import Serve

Make = Callable[[Path], object]

REFUSED, EITHER, LIFTED = 'refused', 'either', 'lifted'
"""What must happen: an error, an error or valid results, valid results."""

LIFT = ['lift', 'INPUT', '--out-dir', 'out', '--formats', 'npz,json']
INFER = ['infer', 'INPUT', '--out-dir', 'out', '--pose2d', 'gtpt-t']
LENS = ['lift', 'good.npz', '--out-dir', 'out', '--intrinsics', 'INPUT']
# Values of other types or sizes than a reader expects.
_VALUES = (
    *(None, True, -1, 0.5, 10**400, 1e308, 'x', '\x1b[31m\n', 'y' * 200_000),
    *([], [1], ['a'], [[1], 2], {}, {'data': [1]}),
)


@dataclass
class Case:
    """One run of ``mmhot``.

    Args:
        group (str): Class of fault.
        name (str): What it is.
        arguments (list[str]): Arguments of ``mmhot``; ``INPUT`` stands for the file.
        file (str): Name of the input in the folder of the case.
        make (Callable, optional): Writes it, given its path.
        expected (str): ``refused``, ``either`` or ``lifted``.
        shell (str): Redirections of a process of its own; empty for a forked one.
        environment (dict): Further variables of that process.
        serve (Callable, optional): Answers connections to the address that stands for
            ``INPUT``.
    """

    group: str
    name: str
    arguments: list[str]
    file: str = 'input.npz'
    make: Make | None = None
    expected: str = REFUSED
    shell: str = ''
    environment: dict[str, str] = field(default_factory=dict)
    serve: Serve | None = None


def keypoint_cases() -> Iterator[Case]:
    """List the cases of keypoints and calibrations."""
    for part in (_arrays, _numbers, _documents, _lenses):
        yield from part()


def _arrays() -> Iterator[Case]:
    def case(name: str, make: Make, expected: str = REFUSED) -> Case:
        return Case('arrays', name, LIFT, make=make, expected=expected)

    def of(**arrays: object) -> Make:
        return partial(files.npz, **arrays)

    yield case('700 MB in 1 MB', partial(files.npz_of_zeros, shape=(20_600_000, 17, 2)))
    frames = partial(files.npz_of_zeros, shape=(550_000_000,), name='frame')
    yield case('550 MB of frames', frames)
    below = partial(files.npz_of_zeros, shape=(12_000_000, 17, 2))
    yield case('400 MB, below the limit of bytes', below)
    for shape in ((10**9, 17, 2), (2**62, 4), (-1, 17, 2), (0, 17, 2), (3, 10**8, 2)):
        member = files.npy_header(shape) + bytes(64)
        yield case(f'header of {shape}', partial(files.npz_with, member=member))
    for kind in ('<U0', '|V0', '|O', '<M8[s]', '<c16', '<U1000000000'):
        member = files.npy_header((10**9,), kind)
        for array in ('keypoints', 'joint_names'):
            make = partial(files.npz_with, member=member, name=array)
            yield case(f'{array} of {kind}', make)
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        member = files.npy_header((3, 17, 2)) + files.poses().tobytes()
        yield case(
            f'method {method}',
            partial(files.npz_with, member=member, compression=method),
        )
    yield case('skeleton of 10 MB', of(skeleton='z' * 10_000_000))
    yield case('17 names of 1 MB', of(joint_names=np.array(['z' * 10**6] * 17)))
    yield case('a million names', of(joint_names=np.array(['z'] * 10**6)))
    yield case('pickled frames', of(frame=np.array([files.Bomb()] * 3, object)))
    yield case('5000 people', of(**_people(5000)))
    yield case('negative frames', of(frame=np.arange(3) - 5))
    yield case('frames beyond 64 bits', of(frame=np.full(3, 2**64 - 1, 'u8')))
    yield case('a pickle', files.pickled)
    for seed in range(20):
        yield case(f'damaged {seed}', partial(damaged, files.npz, seed=seed), EITHER)


def _numbers() -> Iterator[Case]:
    def case(name: str, **arrays: object) -> Case:
        return Case('arrays', name, LIFT, make=partial(files.npz, **arrays))

    for value in (np.nan, np.inf, 1e30, 1e-30, -1e9):
        yield case(f'keypoints of {value}', keypoints=np.full((3, 17, 2), value))
    for name in ('width', 'height', 'fps'):
        for value in (0, -1, np.nan, np.inf, 1e30, '25', [1, 2]):
            yield case(f'{name} of {value}', **{name: value})


def _people(count: int) -> dict[str, np.ndarray]:
    keypoints = np.repeat(files.poses(1), count, 0)
    return dict(keypoints=keypoints, track=np.arange(count), frame=np.zeros(count, int))


def damaged(make: Make, path: Path, seed: int) -> None:
    """Write a file and damage it."""
    whole = path.with_name(f'whole{path.suffix}')
    make(whole)
    files.damage(whole, path, seed)
    whole.unlink()


def _documents() -> Iterator[Case]:
    sizes = ['--image-size', '1280x720', '--fps', '25']

    def case(name: str, content: object, expected: str = REFUSED) -> Case:
        make = content if callable(content) else partial(files.dump, document=content)
        if isinstance(content, bytes):
            make = partial(Path.write_bytes, data=content)
        return Case('JSON', name, LIFT + sizes, 'input.json', make, expected)

    for depth in (900, 100_000, 5_000_000):
        yield case(f'{depth} lists', files.nested(depth).encode())
    yield case('300 MB', _large)
    yield case('empty', b'')
    yield case('UTF-16', '[{"a": 1}]'.encode('utf-16'))
    yield case('no UTF-8', b'[{"a": "\xff\xfe"}]')
    yield case('NaN', b'[{"frame_id": NaN, "instances": [{"keypoints": [[NaN, 1]]}]}]')
    yield case('long text beside numbers', _mixed())
    for title, document, paths in (
        ('video', files.video_document(), _PATHS_OF_VIDEO),
        ('demo', files.demo_document(), _PATHS_OF_DEMO),
        ('COCO', files.coco_document(), _PATHS_OF_COCO),
    ):
        for path in paths:
            for value in _VALUES:
                shown = f'{value!r:.20}'
                changed = _replaced(document, path, value)
                yield case(f'{title} {path[-1]} {shown}', changed, EITHER)


_PATHS_OF_VIDEO = (
    (0, 'frame_id'),
    (0, 'instances', 0, 'keypoints'),
    (0, 'instances', 0, 'keypoint_scores'),
)
_PATHS_OF_DEMO = (
    ('meta_info',),
    ('meta_info', 'width'),
    ('meta_info', 'skeleton'),
    ('instance_info',),
)
_PATHS_OF_COCO = (
    ('images', 0, 'width'),
    ('images', 0, 'id'),
    ('annotations', 0, 'bbox'),
    ('annotations', 0, 'track_id'),
    ('categories', 0, 'keypoints'),
)


def _large(path: Path) -> None:
    """Write 300 MB of spaces, most of them not on the disk."""
    path.write_text('[')
    os.truncate(path, 300 << 20)


def _mixed() -> list[dict]:
    """Make numbers that NumPy would pad to the length of the text beside them."""
    document = files.video_document()
    document[0]['instances'][0]['keypoints'] = [
        ['q' * 10**6, 1.0],
        *[[1.0, 2.0]] * 4000,
    ]
    return document


def _replaced(document: object, path: tuple, value: object) -> object:
    document = copy.deepcopy(document)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


def _lenses() -> Iterator[Case]:
    def case(name: str, text: str, suffix: str = '.yml') -> Case:
        make = partial(Path.write_text, data=text)
        return Case('calibrations', name, LENS, f'input{suffix}', make)

    yield case('aliases', files.aliases())
    yield case('alias of itself', 'camera_matrix: &a [*a]')
    yield case(
        'Python object', 'camera_matrix: !!python/object/apply:os.mkdir [executed]'
    )
    yield case('10,000 lists', 'camera_matrix: ' + files.nested(10_000))
    yield case('10 MB', 'fx: 1\n' * 2_000_000)
    yield case('control characters', 'fx: \x1b[31m')
    yield case('a matrix that is none', 'camera_matrix: !!opencv-matrix 3')
    for path in (('camera_matrix',), ('dist_coeffs',), ('image_width',)):
        for value in ('x', [1], [[1], 2], {'data': 'x'}, 10**400, 'y' * 200_000):
            document = _replaced(files.lens_document(), path, value)
            make = partial(files.dump, document=document)
            name = f'{path[0]} {value!r:.20}'
            short = path[0] == 'dist_coeffs' and value == [1]  # k1 alone is valid
            expected = EITHER if short else REFUSED
            yield Case('calibrations', name, LENS, 'input.json', make, expected)
