"""Cases: a hostile file or call each, and whether it must be refused."""

import copy
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tools.lab.hostile import files
from tools.lab.hostile.streams import Serve, all_streams

Make = Callable[[Path], object]

REFUSED, EITHER, LIFTED = 'refused', 'either', 'lifted'
"""What must happen: an error, an error or valid results, valid results."""

LIFT = ['lift', 'INPUT', '--out-dir', 'out', '--formats', 'npz,json']
INFER = ['infer', 'INPUT', '--out-dir', 'out', '--pose2d', 'gtpt-t']
LENS = ['lift', 'good.npz', '--out-dir', 'out', '--intrinsics', 'INPUT']
# Packages without which ONNX Runtime lifts, if it is installed.
_REPLACED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose')
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


def all_cases() -> list[Case]:
    """List all cases, the quick ones first."""
    parts = (
        _arrays,
        _numbers,
        _documents,
        _lenses,
        _special,
        _names,
        _sparse,
        _options,
    )
    parts += (_images, _videos, _streams, _many, _terminals)
    return [case for part in parts for case in part()]


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
        yield case(f'damaged {seed}', partial(_damaged, files.npz, seed=seed), EITHER)


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


def _damaged(make: Make, path: Path, seed: int) -> None:
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


def _special() -> Iterator[Case]:
    kinds = ('pipe', 'socket', 'loop', '/dev/zero', '/dev/random', '/nowhere')
    for arguments, suffix in (
        (LIFT, '.npz'),
        (LENS, '.yml'),
        (INFER, '.mp4'),
        (INFER, '.png'),
        (INFER, '.txt'),
        ([*INFER, '--pose3d-weights', 'INPUT'], '.pth'),
    ):
        for kind in kinds:
            make = partial(files.special, kind=kind)
            name = f'{kind} as {suffix}'
            yield Case('no files', name, arguments, f'input{suffix}', make)
    for kind in ('pipe', '/dev/zero'):
        make = partial(_folder_of, kind=kind)
        yield Case('no files', f'{kind} in a folder', LIFT, 'folder', make)


def _folder_of(path: Path, kind: str) -> None:
    path.mkdir()
    files.special(path / '1.json', kind)


def _names() -> Iterator[Case]:
    names = [
        'a\nb',
        'a\x1b[31mb',
        'a\udcff',
        'a\u202eb',
        'ü',
        'a%03d',
        'concat:a',
        'é' * 120,
    ]
    for name in names:
        bad = Case('names', f'refused {name!r:.20}', LIFT, f'{name}.npz', files.pickled)
        formats = 'npz,json,csv,angles.csv,bvh,trc,mot,glb,html,png'
        good = [*LIFT[:-1], formats]
        yield bad
        yield Case(
            'names', f'lifted {name!r:.20}', good, f'{name}.npz', files.npz, LIFTED
        )
    for text in ('\x1b[31m', 'x' * 100_000, 'a\nb', '\udcff'):
        yield Case('names', f'option {text!r:.20}', [*LIFT, f'--{text}'])
        yield Case(
            'names',
            f'missing {text!r:.20}',
            ['lift', f'{text}.npz', '--out-dir', 'out'],
        )
        yield Case(
            'names', f'model {text!r:.20}', [*LIFT, '--model', text], make=files.npz
        )


def _sparse() -> Iterator[Case]:
    texts = [*LIFT[:-1], 'npz,json,csv,angles.csv,bvh,trc,mot,glb,html,png']

    def case(name: str, frames: object, fps: float = 25.0, expected=LIFTED, out=texts):
        frames = np.array(list(frames))
        keypoints = np.repeat(files.poses(1), len(frames), 0)
        make = partial(files.npz, keypoints=keypoints, frame=frames, fps=fps)
        return Case('sparse frames', name, out, make=make, expected=expected)

    yield case('0 and 10,000,000', (0, 10_000_000))
    yield case('9,999,999', (9_999_999,))
    yield case('100 of 10,000,000', range(0, 10_000_000, 100_000), 1000.0)
    yield case('every 1000th', range(0, 10_000_000, 1000), 1000.0, REFUSED)
    video = [*LIFT[:-1], 'mp4']
    yield case('mp4 of gaps', range(0, 60_000, 2000), 1000.0, LIFTED, video)
    yield case('beyond the limit', (0, 10_000_001), expected=REFUSED)


def _options() -> Iterator[Case]:
    for options in (
        *(['--fov', text] for text in ('nan', 'inf', '-1', '1e400', 'x')),
        *(
            ['--image-size', text]
            for text in ('0x0', '-1x2', '9' * 5000 + 'x1', '1x1x1')
        ),
        *(['--keep', text] for text in ('0', '-1', '10,' * 5000, 'x')),
        *(['--formats', text] for text in ('', 'exe', '../npz')),
        ['--batch-size', '0'],
        ['--out-dir', '/dev/full/x'],
        ['--out-dir', 'good.npz'],
    ):
        name = ' '.join(options)[:40]
        yield Case('options', name, [*LIFT, *options], make=files.npz)
    for suffix in ('.pth', '.onnx', '.py'):
        for content in (b'', b'garbage', b'\x80\x04garbage'):
            option, command = {
                '.pth': ('--checkpoint', LIFT),
                '.py': ('--model', LIFT),
                '.onnx': ('--pose2d', INFER),
            }[suffix]
            good = 'good.png' if command is INFER else 'good.npz'
            arguments = [command[0], good, *command[2:], option, 'INPUT']
            make = partial(Path.write_bytes, data=content)
            name = f'{suffix} of {content!r}'
            yield Case('models', name, arguments, f'input{suffix}', make)
    arguments = ['lift', 'good.npz', '--out-dir', 'out', '--checkpoint', 'INPUT']
    yield Case('models', 'code in a checkpoint', arguments, 'input.pth', files.pickled)


def _images() -> Iterator[Case]:
    def case(name: str, file: str, make: Make, expected: str = REFUSED) -> Case:
        return Case('images', name, INFER, file, make, expected)

    for width, height in (
        (32_000, 32_000),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (9000, 9000),
    ):
        make = partial(
            files.png, width=width, height=height, rows=1 if width > 1e6 else 100
        )
        yield case(f'PNG of {width}x{height}', 'input.png', make)
    for width, height in ((1, 1), (30, 3000), (1, 3000), (3000, 1)):
        make = partial(files.image, width=width, height=height)
        expected = LIFTED if 100 * min(width, height) >= 3000 else EITHER
        yield case(f'PNG of {width}x{height} pixels', 'input.png', make, expected)
    for suffix in ('png', 'jpg', 'webp', 'bmp', 'tif'):
        yield case(f'empty {suffix}', f'input.{suffix}', Path.touch)
        yield case(
            f'text as {suffix}', f'input.{suffix}', partial(Path.write_text, data='x')
        )
        for seed in range(4):
            make = partial(_damaged, files.image, seed=seed)
            yield case(f'damaged {suffix} {seed}', f'input.{suffix}', make, EITHER)
    for place in (0, 2, 4):
        make = partial(_sequence, bad=place)
        yield case(f'huge image {place} of 5', 'folder', make, LIFTED)


def _sequence(path: Path, bad: int) -> None:
    """Write five numbered images, one of which is too large."""
    path.mkdir()
    for number in range(5):
        files.image(path / f'frame{number}.png')
    files.png(path / f'frame{bad}.png', 32_000, 32_000, 100)


def _videos() -> Iterator[Case]:
    def case(
        name: str, make: Make, expected: str = REFUSED, suffix: str = 'mkv'
    ) -> Case:
        return Case('videos', name, INFER, f'input.{suffix}', make, expected)

    for codec, suffix in (('png', 'mov'), ('mjpeg', 'avi'), ('ffv1', 'mkv')):
        make = partial(files.video, codec=codec, frames=1, size=(12_000, 9000))
        yield case(f'{codec} of 108 megapixels', make, suffix=suffix)
    yield case('empty', Path.touch, suffix='mp4')
    yield case('HTTP playlist', partial(Path.write_text, data=_PLAYLIST), suffix='m3u8')
    for suffix in ('mp4', 'mkv', 'avi', 'webm'):
        codec = 'libvpx' if suffix == 'webm' else 'mpeg4'
        for seed in range(4):
            make = partial(_damaged, partial(files.video, codec=codec), seed=seed)
            yield case(f'damaged {suffix} {seed}', make, EITHER, suffix)


_PLAYLIST = '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n'


def _streams() -> Iterator[Case]:
    options = ['--live', '--reconnect', '1', '--duration', '20']
    live = [*INFER, *options, '--det-model', 'whole_image', '--quiet']
    for name, serve in all_streams().items():
        yield Case('streams', name, live, expected=EITHER, serve=serve)
    for source in ('rtsp://127.0.0.1:1/x', 'http://[', 'udp://127.0.0.1:9', '99'):
        yield Case('streams', source, [live[0], source, *live[2:]])
    for kind in ('pipe', '/dev/zero', 'folder'):
        make = partial(files.special, kind=kind)
        yield Case('streams', kind, live, 'input.mp4', make)
    for seed in range(4):
        make = partial(_damaged, files.video, seed=seed)
        yield Case('streams', f'damaged file {seed}', live, 'input.mkv', make, EITHER)


def _many() -> Iterator[Case]:
    """Bad inputs beside a good one, and bad options, with Ray."""
    options = ['--runner', 'ray', '--retries', '0', '--quiet']
    # Ray's workers would wait for all other processes of a busy machine
    ray = partial(Case, 'Ray', shell='>log', environment={'RAY_worker_niceness': '0'})
    names = [f'folder/{number}.npz' for number in (1, 2, 3)]
    paths = ['infer', 'good.npz', *names, *INFER[2:]]
    arguments = [*paths, *options, '--num-workers', '1']
    yield ray('bad inputs', arguments, file='folder', make=_bad_inputs)
    for option, value in (
        ('--address', 'localhost:1'),
        ('--address', '\x1b[31m'),
        ('--num-workers', '1000'),
        ('--cpus-per-worker', '1e9'),
    ):
        arguments = ['infer', 'good.npz', *INFER[2:], *options, option, value]
        yield ray(f'{option} {value!r}', arguments)


def _bad_inputs(folder: Path) -> None:
    folder.mkdir()
    (folder / '1.npz').write_text('x')
    files.pickled(folder / '2.npz')
    files.npz_of_zeros(folder / '3.npz', (20_600_000, 17, 2))


def _terminals() -> Iterator[Case]:
    def case(
        name: str, shell: str, arguments=LIFT, expected=LIFTED, **environment: str
    ):
        make = files.npz
        return Case(
            'terminals',
            name,
            arguments,
            'inpüt.npz',
            make,
            expected,
            shell,
            environment,
        )

    yield case('stdout ends', '| head -c 1')
    yield case('stdout closed', '>&-')
    yield case('stderr closed', '2>&-')
    yield case('all closed', '<&- >&- 2>&-')
    yield case('stdout full', '>/dev/full')
    yield case(
        'stderr full',
        '2>/dev/full',
        ['lift', 'missing.npz', '--out-dir', 'out'],
        REFUSED,
    )
    yield case('ASCII', '>log', PYTHONIOENCODING='ascii')
    yield case('C locale', '>log', LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0')
    yield case('list to head', '| head -n 1', ['list'], EITHER)
    yield case('help to a full disk', '>/dev/full', ['--help'], EITHER)
    for module in ('numpy', 'cv2', 'av', *_REPLACED):
        expected = EITHER if module in _REPLACED else REFUSED
        for kind in ('missing', 'broken'):
            path = f'{kind}-{module}'
            yield case(f'{module} {kind}', '>log', LIFT, expected, BLOCKED=path)
