"""Cases: a hostile file or call each, and whether it must be refused."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tools.lab.hostile import files
from tools.lab.hostile.keypoint_cases import (
    EITHER,
    INFER,
    LENS,
    LIFT,
    LIFTED,
    REFUSED,
    Case,
    Make,
    damaged,
    keypoint_cases,
)
from tools.lab.hostile.streams import all_streams

# Packages without which ONNX Runtime lifts, if it is installed.
_REPLACED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose')


def all_cases() -> list[Case]:
    """List all cases, the quick ones first."""
    parts = (keypoint_cases, _special, _names, _sparse, _options)
    parts += (_images, _videos, _streams, _many, _terminals)
    return [case for part in parts for case in part()]


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
            make = partial(damaged, files.image, seed=seed)
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
            make = partial(damaged, partial(files.video, codec=codec), seed=seed)
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
        make = partial(damaged, files.video, seed=seed)
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
