"""Lift the 2D keypoints of whole clips to 3D.

Example:
  mmhot lift demo/skating_2d_coco17.npz --out-dir outputs --formats npz,mp4

Inputs are .npz files, MMPose's JSON (a file, or a folder of one file per image) and
COCO's JSON; docs/output-formats.md describes them and what is written.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from mmhot.skeleton_mappings import MAPPINGS

FORMATS = ('npz', 'json', 'csv', 'bvh', 'trc', 'html', 'mp4', 'png')
# One person a file, on a floor.
_PERSON_FORMATS = ('bvh', 'trc')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='INPUT', help='2D keypoints of a clip'
    )
    parser.add_argument(
        '--out-dir', type=Path, required=True, help='folder for the results'
    )
    parser.add_argument(
        '--model',
        metavar='NAME_OR_CONFIG',
        help='shipped weights by name, or a config file (default: the shipped lifter)',
    )
    parser.add_argument(
        '--checkpoint', metavar='FILE', help='weights, where not the shipped ones'
    )
    parser.add_argument(
        '--skeleton',
        metavar='NAME',
        help='joint order of the inputs, such as coco-17 or h36m-17 (default: what '
        'the file says, or else what has as many joints)',
    )
    parser.add_argument(
        '--mapping',
        choices=tuple(MAPPINGS),
        help='how Human3.6M joints that the inputs lack are approximated (default: as '
        'the model was trained)',
    )
    parser.add_argument(
        '--image-size',
        type=_image_size,
        metavar='WxH',
        help='picture size in pixels, where the inputs do not say',
    )
    parser.add_argument(
        '--fps', type=float, help='frames per second, where the inputs do not say'
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
        '--height',
        type=float,
        metavar='METRES',
        help='how tall the person is, which sets the scale',
    )
    parser.add_argument(
        '--static-camera',
        action='store_true',
        help='the camera stood still: find its tilt and the floor (world, bvh, trc)',
    )
    parser.add_argument(
        '--single',
        choices=('largest',),
        help='take only the largest person of each frame, as one track',
    )
    parser.add_argument(
        '--no-flip',
        action='store_true',
        help='do not average with the mirror image: twice as fast, less accurate',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=64,
        metavar='N',
        help='windows at once (default: 64)',
    )


def run(args: argparse.Namespace) -> None:
    """Lift all inputs; nothing is written if any of them is bad."""
    from mmhot.cli.device import choose_device
    from mmhot.io.keypoints2d import read_keypoints

    _check_options(args)
    clips = [
        read_keypoints(
            path,
            skeleton=args.skeleton,
            image_size=args.image_size,
            fps=args.fps,
            single=args.single,
        )
        for path in args.inputs
    ]
    _check_names(args.inputs, [clip.name for clip in clips])
    with _folder(args.out_dir):
        for clip in clips:
            for path in _targets(clip, args):
                _check_target(path, args.inputs)
        device = choose_device(args.device)

        from mmhot.apis import Lifter

        lifter = Lifter(
            args.model,
            args.checkpoint,
            device=device,
            flip_test=not args.no_flip,
            batch_size=args.batch_size,
        )
        prepared = [lifter.prepare(clip, args.mapping) for clip in clips]
        for clip, segments in zip(clips, prepared, strict=True):
            _lift_one(lifter, clip, segments, args)


def _check_options(args: argparse.Namespace) -> None:
    """Refuse values before anything is read."""
    if args.batch_size < 1:
        raise ValueError(f'--batch-size must be at least 1, got {args.batch_size}')
    if args.fov is not None and not 1 <= args.fov <= 170:
        raise ValueError(f'--fov must be from 1 to 170 degrees, got {args.fov:g}')
    if args.height is not None and not 0.3 <= args.height <= 3:
        raise ValueError(f'--height must be from 0.3 to 3 metres, got {args.height:g}')


def _targets(clip, args: argparse.Namespace) -> list[Path]:
    """Files to be written for a clip."""
    from mmhot.io.person_files import person_paths

    tracks = [track.track for track in clip.tracks]
    paths = []
    for name in args.formats:
        path = args.out_dir / f'{clip.name}.{name}'
        several = name in _PERSON_FORMATS
        paths += person_paths(path, tracks).values() if several else [path]
    return paths


def _lift_one(lifter, clip, segments, args: argparse.Namespace) -> None:
    from mmhot.io.keypoints3d import to_axes
    from mmhot.io.person_files import write_people
    from mmhot.lens import focal_of_view
    from mmhot.lifting.world import scale_people, to_world

    focal = None if args.fov is None else focal_of_view(args.fov, clip.width)
    begin = time.perf_counter()
    with _progress(f'{clip.name}: lifting', args.quiet) as progress:
        lifted = lifter.lift(clip, segments, progress, focal)
    seconds = time.perf_counter() - begin
    if args.height is not None:
        lifted = scale_people(lifted, args.height)
    world = to_world(lifted, args.static_camera)
    turned = world if args.axes == 'world' else to_axes(lifted, args.axes)
    for name in args.formats:
        path = args.out_dir / f'{clip.name}.{name}'
        if name in _PERSON_FORMATS:
            for file, distance in write_people(world, path).items():
                fit = f' (bones of constant length: {1000 * distance:.0f} mm off)'
                args.say(f'{file}{fit if name == "bvh" else ""}')
            continue
        with _progress(f'{clip.name}: {name}', args.quiet) as progress:
            _write(world if name == 'html' else turned, path, progress)
        args.say(f'{path}')
    frames = len(set(lifted.frame.tolist()))
    count = len(set(lifted.track.tolist()))
    args.say(
        f'{clip.name}: {frames} frame{"s"[: frames != 1]}, '
        f'{count} {"person" if count == 1 else "people"}, lifted in {seconds:.1f} s '
        f'({frames / seconds:.0f} frames per second)'
    )


def _write(clip, path: Path, progress: Callable[[int, int], None]) -> None:
    """Write a clip in the format that the file's ending names."""
    from mmhot.io.csv_table import write_csv
    from mmhot.io.keypoints3d import write_json, write_npz

    writers = {'.npz': write_npz, '.json': write_json, '.csv': write_csv}
    if path.suffix in writers:
        writers[path.suffix](clip, path)
    elif path.suffix == '.html':
        from mmhot.visualization.html import write_html

        write_html(clip, path)
    elif path.suffix == '.mp4':
        from mmhot.visualization.video import render_video

        render_video(clip, path, progress=progress)
    else:
        from mmhot.visualization.sheet import render_sheet

        render_sheet(clip, path)


@contextmanager
def _progress(title: str, quiet: bool):
    """Yield a function of (done, total) that draws a bar on stderr, if a terminal."""
    from tqdm import tqdm

    with tqdm(desc=title, unit='frame', disable=quiet or None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _image_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)[xX](\d+)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not WxH, such as 1920x1080')
    return int(match[1]), int(match[2])


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(',')))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f'{unknown[0]!r} is none of {",".join(FORMATS)}'
        )
    return names


def _check_names(paths: list[Path], names: list[str]) -> None:
    """Refuse inputs whose results would overwrite each other."""
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
def _folder(folder: Path):
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
