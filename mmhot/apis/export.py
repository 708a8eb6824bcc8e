"""Export of 3D clips: all formats, checks of the target files, the output folder."""

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import TYPE_CHECKING

from mmhot.apis.options import ExportOptions, OutputOptions
from mmhot.apis.progress import Bars, no_bar
from mmhot.io.atomic import CACHE_FOLDER, is_in_the_way, remove_abandoned
from mmhot.io.own_results import is_result
from mmhot.io.writers.table import WRITERS, Writer

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.structures.clips import Clip3D
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
    suffix = path.suffix.removeprefix('.')
    endings = [name for name in WRITERS if path.name.endswith(f'.{name}')]
    chosen = ExportOptions(formats=[max(endings, key=len, default=suffix)], **options)
    if isinstance(video, str | Path):
        (video,) = open_inputs([str(video)])
    tracks = sorted(set(clip.track.tolist()))
    targets = Targets([] if video is None else [video.path])
    for file in _files(path, *chosen.formats, tracks).values():
        targets.claim(file, 0, clip.name)
    stem = path.name.removesuffix(f'.{chosen.formats[0]}')
    return _write_formats(clip, path.with_name(f'{stem}.x'), chosen, video)


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
    from mmhot.lifting.world import scale_people
    from mmhot.motion.foot_lock import lock_feet
    from mmhot.structures.clips import to_axes

    if footage is None and options.html_frames:
        raise ValueError('html_frames needs a video, and there is none')
    is_static = options.static_camera or clip.camera_path is not None
    if is_static and options.foot_lock and clip.axes != 'world':
        clip = lock_feet(to_axes(clip, 'camera'))
    if options.height is not None:
        clip = scale_people(clip, options.height)
    # a clip in world axes is written as it is
    is_world = clip.axes == 'world' and options.axes == 'camera'
    chosen = 'world' if is_world else options.axes
    axes = {
        name: 'world' if WRITERS[name].world else chosen for name in options.formats
    }
    clips = {each: _turned(clip, each, is_static) for each in set(axes.values())}
    written = []
    for name in options.formats:
        writer, shown = WRITERS[name], clips[axes[name]]
        inputs: dict = _footage_of(writer, options, footage)
        inputs |= {each: getattr(options, each) for each in writer.options}
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


def _turned(clip: 'Clip3D', axes: str, static_camera: bool) -> 'Clip3D':
    """Convert a clip to any axes; all numbers are finite."""
    from mmhot.lifting.world import to_world
    from mmhot.structures.clips import to_axes

    if axes == 'world' != clip.axes:
        clip = to_world(to_axes(clip, 'camera'), static_camera)
    elif axes != 'world':
        clip = to_axes(clip, axes)
    return clip.checked()


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


class Targets:
    """Files that a run will write: each once, and none of those that it reads.

    Args:
        read (Iterable[str | Path]): Files that are read, and folders of such; paths
            that do not exist are ignored.
    """

    def __init__(self, read: Iterable[str | Path] = ()) -> None:
        # with whether it is only one of a folder
        self._read: dict[tuple[int, int], tuple[Path, bool]] = {}
        self._owners: dict[str, tuple[Path, int, object]] = {}
        for path in read:
            self.protect(path)

    def protect(self, path: str | Path) -> None:
        """Add a file that is read, or the files of a folder but results of mmhot."""
        is_folder = os.path.isdir(path)
        for file in Path(path).iterdir() if is_folder else [Path(path)]:
            if os.path.isfile(file):  # False for names that are too long
                found = _identity(file)
                is_named = not is_folder or not self._read.get(found, (file, True))[1]
                self._read[found] = file, not is_named

    def claim(self, target: Path, number: int, source: object) -> None:
        """Reserve a file for a result of an input.

        Args:
            target (Path): The file.
            number (int): Number of the input.
            source (object): The input in messages.

        Raises:
            IsADirectoryError: If a folder or a device has its name.
            ValueError: If a file that is read, or another input's result, would be
                overwritten.
        """
        if is_in_the_way(target):
            kind = 'a folder' if target.is_dir() else 'no ordinary file, and'
            raise IsADirectoryError(f'out_dir: {target} is {kind} in the way')
        read = self._read.get(_identity(target)) if target.exists() else None
        if read and not (read[1] and is_result(target)):
            raise ValueError(
                f'{read[0]} would be overwritten by a result: give another folder for '
                'the results'
            )
        claim = target, number, source
        _, owner, other = self._owners.setdefault(_key(target), claim)
        if owner != number:
            raise ValueError(
                f'{other} and {source} would both be written as {target.name}: lift '
                'them one by one into different folders'
            )

    def claim_people(self, folder: Path, formats: Sequence[str]) -> None:
        """Reserve the files of people whose track IDs are not known yet.

        Args:
            folder (Path): Folder of the results.
            formats (Sequence[str]): Formats with one person per file.
        """
        claimed = [target for target, *_ in self._owners.values()]
        for file in [*claimed, *(folder.iterdir() if formats else ())]:
            match = re.fullmatch(r'(.+)_person-?\d+', file.stem, re.IGNORECASE)
            if match and file.suffix[1:].lower() in formats:
                of_all = _key(file.with_stem(match[1]))
                if of_all in self._owners:
                    self.claim(file, *self._owners[of_all][1:])


def _identity(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino


def _key(target: Path) -> str:
    """Return a text that is the same for all names of one file."""
    path = str(target.parent.resolve() / target.name)
    if _ignores_case(target.parent):
        path = unicodedata.normalize('NFC', path).casefold()
    return path


@cache
def _ignores_case(folder: Path) -> bool:
    """Whether names that differ in case only are the same file in a folder."""
    if sys.platform in ('win32', 'darwin'):
        return True
    with suppress(OSError), NamedTemporaryFile(dir=folder, prefix='.mmhot-a') as file:
        path = Path(file.name)
        return path.with_name(path.name.upper()).exists()
    return False


def check_targets(
    names: Sequence[str],
    sources: Sequence[Path],
    options: OutputOptions,
    tracks: Sequence[Sequence[int]] | None = None,
) -> None:
    """Refuse results that would overwrite each other or a file that is read.

    Args:
        names (Sequence[str]): Names of the clips.
        sources (Sequence[Path]): Their inputs.
        options (OutputOptions): Existing folder, and formats.
        tracks (Sequence[Sequence[int]], optional): Their track IDs, if known.

    Raises:
        IsADirectoryError: If a folder has the name of a result.
        ValueError: If a file would be overwritten.
    """
    targets = Targets([*sources, *options.files])
    for index, (name, source) in enumerate(zip(names, sources, strict=True)):
        for form in options.formats:
            target = options.out_dir / f'{name}.{form}'
            own = _files(target, form, tracks[index] if tracks else [])
            for file in {target, *own.values()}:
                targets.claim(file, index, source)
    if tracks is None:
        per_person = [form for form in options.formats if WRITERS[form].per_person]
        targets.claim_people(options.out_dir, per_person)


@contextmanager
def results_folder(folder: Path) -> Iterator[None]:
    """Create a writable folder; remove it again if nothing was written to it.

    What killed runs left behind in it is removed.

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
            with TemporaryFile(dir=folder):
                pass
            for each in (folder, folder / CACHE_FOLDER):
                remove_abandoned(each)
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
