"""What commands that lift have in common: results, where and in which formats."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

FORMATS = ('npz', 'json', 'csv', 'bvh', 'trc', 'html', 'mp4', 'png', 'rrd')
Bars = Callable[[str, bool], AbstractContextManager[Callable[[int, int], None]]]
"""Given a title and whether to be quiet, what shows progress, as `show_progress`."""

# One person a file, on a floor.
_PERSON_FORMATS = ('bvh', 'trc')


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what is written."""
    parser.add_argument(
        '--out-dir', type=Path, required=True, help='folder for the results'
    )
    parser.add_argument(
        '--formats',
        type=_formats,
        default=('npz',),
        metavar='LIST',
        help=f'what to write, of {",".join(FORMATS)} (default: npz)',
    )
    parser.add_argument(
        '--axes',
        choices=('camera', 'z-up', 'world'),
        default='camera',
        help='camera: x right, y down, z away; z-up: x right, y away, z up; world: z '
        'up from the floor (default: camera)',
    )
    parser.add_argument(
        '--fov',
        type=float,
        metavar='DEGREES',
        help="the lens's angle from the left to the right edge of the picture "
        '(default: assume 47, of a picture that is wider than high)',
    )
    parser.add_argument(
        '--intrinsics',
        type=_lens,
        metavar='FILE',
        help='calibration of the lens, .json, .yml or .npz: camera matrix and '
        'distortion, in place of --fov (see docs/output-formats.md)',
    )
    parser.add_argument(
        '--height',
        type=float,
        metavar='METERS',
        help='how tall the person is, which sets the scale',
    )
    parser.add_argument(
        '--static-camera',
        action='store_true',
        help='the camera stood still: find its tilt and the floor (world, bvh, trc)',
    )


def add_keep_option(parser: argparse.ArgumentParser) -> None:
    """Declare how many frames an hourglass keeps."""
    parser.add_argument(
        '--keep',
        type=_counts,
        metavar='N[,N]',
        help='frames that an hourglass model keeps of a window, for each of its '
        'pruners (default: as trained)',
    )


def check_result_options(args: argparse.Namespace) -> None:
    """Refuse values before anything is read."""
    if args.fov is not None and not 1 <= args.fov <= 170:
        raise ValueError(f'--fov must be from 1 to 170 degrees, got {args.fov:g}')
    if args.fov is not None and args.intrinsics is not None:
        raise ValueError('--fov and --intrinsics both tell of the lens: give one')
    if args.height is not None and not 0.3 <= args.height <= 3:
        raise ValueError(f'--height must be from 0.3 to 3 meters, got {args.height:g}')
    if 'rrd' in args.formats:
        from mmhot.visualization.rerun_recording import import_rerun

        import_rerun()


def check_targets(
    name: str, tracks: list[int], args: argparse.Namespace, inputs: list[Path]
) -> None:
    """Refuse to replace a folder or what is being read.

    Args:
        name (str): Of the clip.
        tracks (list[int]): Its people.
        args (argparse.Namespace): With :func:`add_result_options`'s options.
        inputs (list[Path]): What is being read.
    """
    from mmhot.io.writers.person_files import person_paths

    for form in args.formats:
        path = args.out_dir / f'{name}.{form}'
        several = form in _PERSON_FORMATS
        for target in person_paths(path, tracks).values() if several else [path]:
            _check_target(target, inputs)


def export(
    lifted, args: argparse.Namespace, footage=None, bars: Bars | None = None
) -> list[Path]:
    """Write a lifted clip in all formats wanted.

    Args:
        lifted (Clip3D): In camera axes.
        args (argparse.Namespace): With :func:`add_result_options`'s options.
        footage (FrameSource, optional): The film, for pictures and videos.
        bars (Bars, optional): By default :func:`show_progress`.

    Returns:
        list[Path]: The files written.
    """
    from mmhot.clips import to_axes
    from mmhot.io.writers.person_files import write_people
    from mmhot.lifting.world import scale_people, to_world

    if args.height is not None:
        lifted = scale_people(lifted, args.height)
    world = to_world(lifted, args.static_camera)
    turned = world if args.axes == 'world' else to_axes(lifted, args.axes)
    written = []
    for name in args.formats:
        path = args.out_dir / f'{lifted.name}.{name}'
        if name in _PERSON_FORMATS:
            for file, distance in write_people(world, path).items():
                fit = f' (bones of constant length: {1000 * distance:.0f} mm off)'
                args.say(f'{file}{fit if name == "bvh" else ""}')
                written.append(file)
            continue
        title = f'{lifted.name}: {name}'
        with (bars or show_progress)(title, args.quiet) as progress:
            _write(world if name == 'html' else turned, path, progress, footage)
        args.say(f'{path}')
        written.append(path)
    return written


def _write(
    clip, path: Path, progress: Callable[[int, int], None], footage=None
) -> None:
    """Write a clip in the format that the file's ending names."""
    from mmhot.io.lifted import write_json, write_npz
    from mmhot.io.writers.csv import write_csv

    writers = {'.npz': write_npz, '.json': write_json, '.csv': write_csv}
    if path.suffix in writers:
        writers[path.suffix](clip, path)
    elif path.suffix == '.html':
        from mmhot.visualization.html import write_html

        write_html(clip, path)
    elif path.suffix == '.mp4':
        from mmhot.visualization.video import render_video

        render_video(clip, path, footage=footage, progress=progress)
    elif path.suffix == '.rrd':
        from mmhot.visualization.rerun_recording import write_recording

        write_recording(clip, path, footage=footage, progress=progress)
    else:
        from mmhot.visualization.summary_image import render_summary_image

        render_summary_image(clip, path, footage=footage)


@contextmanager
def show_progress(title: str, quiet: bool):
    """Yield a function of (done, total) that draws a bar on stderr, if a terminal."""
    from tqdm import tqdm

    with tqdm(desc=title, unit='frame', disable=quiet or None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(',')))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f'{unknown[0]!r} is none of {",".join(FORMATS)}'
        )
    return names


def _counts(text: str) -> int | list[int]:
    try:
        counts = [int(part) for part in text.split(',')]
        return counts if len(counts) > 1 else counts[0]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no number of frames such as 27, and no list such as 13,5'
        ) from error


def _lens(text: str):
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(text)
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def check_names(paths: list[Path], names: list[str]) -> None:
    """Refuse inputs whose results would overwrite each other."""
    if sys.platform in ('win32', 'darwin'):  # upper and lower case are one name there
        names = [name.casefold() for name in names]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        same = [
            str(path) for path, own in zip(paths, names, strict=True) if own == name
        ]
        raise ValueError(
            f'{" and ".join(same)} would both be written as {name}: lift them one by '
            'one into different folders'
        )


@contextmanager
def results_folder(folder: Path):
    """Make a folder that can be written to; if all fails, leave no trace of it."""
    missing = []
    try:
        try:
            missing += [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            # permissions alone do not tell, least of all to an administrator
            with NamedTemporaryFile(dir=folder, prefix='.mmhot-'):
                pass
        except OSError as error:
            reason = error.strerror
            if isinstance(error, FileExistsError | NotADirectoryError):
                reason = 'a file is in the way'
            raise OSError(f'--out-dir: cannot write to {folder}: {reason}') from error
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()  # if empty
        raise


def _check_target(path: Path, inputs: list[Path]) -> None:
    """Refuse to replace a folder or what is being read."""
    if path.is_dir():
        raise IsADirectoryError(f'--out-dir: {path} is a folder in the way')
    for source in inputs:
        if path.exists() and path.samefile(source):
            raise ValueError(
                f'{source} would be overwritten by its result: give another --out-dir'
            )
