"""Export of 3D clips: all formats, checks of the target files, the output folder."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from mmhot.apis.options import ExportOptions, OutputOptions
from mmhot.apis.progress import Bars, no_bar
from mmhot.io.writers.table import WRITERS, Writer

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.clips import Clip3D
    from mmhot.video.frames import FrameSource


def save_clip(
    clip: 'Clip3D',
    path: str | Path,
    video: 'str | Path | FrameSource | None' = None,
    **options: object,
) -> list[Path]:
    """Write a clip in the format of the file's suffix, as ``mmhot lift`` does.

    Args:
        clip (Clip3D): Clip; one in world axes is written as it is.
        path (str | Path): File to create or replace. Formats with one person per file
            write ``NAME_person0.bvh`` and so on if there are several people.
        video (str | Path | FrameSource, optional): Video behind the keypoints in
            ``.mp4``, ``.png`` and ``.rrd``.
        **options (object): See :class:`mmhot.apis.options.ExportOptions`, but
            ``formats``.

    Returns:
        list[Path]: The files written.

    Raises:
        ValueError: If the suffix is no format, or an option is wrong.
    """
    from mmhot.video.inputs import open_inputs

    path = Path(path)
    chosen = ExportOptions(formats=[path.suffix.removeprefix('.')], **options)
    if isinstance(video, str | Path):
        (video,) = open_inputs([str(video)])
    return _write_formats(clip, path, chosen, video)


def export(
    clip: 'Clip3D',
    options: OutputOptions,
    footage: 'FrameSource | None' = None,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> list[Path]:
    """Write a clip in all chosen formats into the output folder.

    Args:
        clip (Clip3D): Clip; one in world axes is written as it is.
        options (OutputOptions): Folder, formats, axes, scale.
        footage (FrameSource, optional): Video behind the keypoints.
        say (Callable): Receives the path of each file.
        bars (Bars): Opens a progress bar for each file.

    Returns:
        list[Path]: The files written.
    """
    path = options.out_dir / f'{clip.name}.x'
    return _write_formats(clip, path, options, footage, say, bars)


def _write_formats(
    clip: 'Clip3D',
    path: Path,
    options: ExportOptions,
    footage: 'FrameSource | None',
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> list[Path]:
    from mmhot.clips import to_axes
    from mmhot.lifting.world import scale_people, to_world

    if footage is None and options.html_frames:
        raise ValueError('html_frames needs a video, and there is none')
    if clip.axes == 'z-up':
        clip = to_axes(clip, 'camera')
    if options.height is not None:
        clip = scale_people(clip, options.height)
    is_world = clip.axes == 'world'  # such a clip is written as it is
    world = clip if is_world else to_world(clip, options.static_camera)
    if options.axes == 'world' or (is_world and options.axes == 'camera'):
        turned = world
    else:
        turned = to_axes(clip, options.axes)
    written = []
    for name in options.formats:
        writer = WRITERS[name]
        inputs = _footage_of(writer, options, footage)
        shown = world if writer.world else turned
        target = path.with_name(f'{path.stem}.{name}')
        tracks = sorted(set(shown.track.tolist()))
        for track, file in _files(target, name, tracks).items():
            part = shown if track is None else shown.take(shown.track == track)
            with bars(f'{clip.name}: {name}') as progress:
                if writer.progress:
                    inputs['progress'] = progress
                note = writer.load()(part, file, **inputs)
            say(f'{file} ({note})' if isinstance(note, str) else f'{file}')
            written.append(file)
    return written


def _footage_of(
    writer: Writer, options: ExportOptions, footage: 'FrameSource | None'
) -> dict[str, 'FrameSource | None']:
    """Return the argument by which a writer takes the video, if it does."""
    asked = writer.footage
    if isinstance(asked, str):
        asked = getattr(options, asked)
    return {'footage': footage} if asked else {}


def _files(path: Path, name: str, tracks: list[int]) -> dict[int | None, Path]:
    """Name the files of one format by track; None stands for all tracks."""
    if not WRITERS[name].per_person:
        return {None: path}
    if len(tracks) == 1:
        return {tracks[0]: path}
    return {track: path.with_stem(f'{path.stem}_person{track}') for track in tracks}


def check_targets(
    name: str, tracks: list[int], options: OutputOptions, inputs: Sequence[Path]
) -> None:
    """Refuse to replace a folder or an input.

    Args:
        name (str): Name of the clip.
        tracks (list[int]): Its track IDs, as far as they are known.
        options (OutputOptions): Folder and formats.
        inputs (Sequence[Path]): Inputs, as far as they are files.

    Raises:
        IsADirectoryError: If a folder has the name of a result.
        ValueError: If an input would be overwritten.
    """
    for form in options.formats:
        for path in _files(options.out_dir / f'{name}.{form}', form, tracks).values():
            if path.is_dir():
                raise IsADirectoryError(f'out_dir: {path} is a folder in the way')
            for source in inputs:
                if path.exists() and path.samefile(source):
                    raise ValueError(
                        f'{source} would be overwritten by its result: give another '
                        'out_dir'
                    )


def check_names(paths: Sequence[Path], names: list[str]) -> None:
    """Refuse inputs whose results would overwrite each other.

    Args:
        paths (Sequence[Path]): Inputs.
        names (list[str]): Names of their results.

    Raises:
        ValueError: If two names are the same.
    """
    if sys.platform in ('win32', 'darwin'):  # upper and lower case are equal there
        names = [name.casefold() for name in names]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        pairs = zip(paths, names, strict=True)
        same = [str(path) for path, own in pairs if own == name]
        raise ValueError(
            f'{" and ".join(same)} would both be written as {name}: lift them one by '
            'one into different folders'
        )


@contextmanager
def results_folder(folder: Path) -> Iterator[None]:
    """Create a writable folder; remove it again if nothing was written to it.

    Args:
        folder (Path): Folder of the results.

    Raises:
        OSError: If it cannot be written to.
    """
    missing = []
    try:
        try:
            missing += [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            # permissions alone do not show it, least of all to root
            with NamedTemporaryFile(dir=folder, prefix='.mmhot-'):
                pass
        except OSError as error:
            reason = error.strerror
            if isinstance(error, FileExistsError | NotADirectoryError):
                reason = 'a file is in the way'
            raise OSError(f'out_dir: cannot write to {folder}: {reason}') from error
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()  # if empty
        raise
