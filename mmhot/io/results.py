"""Files of results: their names, their folder, and what they must not overwrite."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryFile

from mmhot.errors import ArgumentError
from mmhot.io.atomic import CACHE_FOLDER, sweep
from mmhot.structures.formats import WRITERS


def name_files(path: Path, form: str, tracks: Sequence[int]) -> dict[int | None, Path]:
    """Name the files of one format by track ID; None stands for all people."""
    if not WRITERS[form].per_person:
        return {None: path}
    if len(tracks) == 1:
        return {tracks[0]: path}
    return {track: path.with_stem(f'{path.stem}_person{track}') for track in tracks}


def result_files(
    folder: Path, name: str, formats: Sequence[str], tracks: Sequence[int] = ()
) -> list[Path]:
    """List the files of a clip's results; without track IDs, those of all people."""
    paths = {form: folder / f'{name}.{form}' for form in formats}
    named = (name_files(path, form, tracks) for form, path in paths.items())
    return [*paths.values(), *(file for files in named for file in files.values())]


def check_targets(
    targets: Iterable[tuple[object, Iterable[Path]]], read: Iterable[str | Path]
) -> None:
    """Refuse to write over an input, over a folder, or twice to one file.

    ``targets`` are for each input its name in messages and the files to write.
    """
    inputs = {realpath(path) for path in read}
    sources: dict[str, object] = {}
    for source, files in targets:
        for file, target in {realpath(file): file for file in files}.items():
            if target.is_dir():
                raise IsADirectoryError(f'{target} is a folder: a file is written here')
            if file in inputs and target.exists():
                raise ValueError(
                    f'{target} is an input and would be overwritten by a result'
                )
            if file in sources:
                raise ValueError(
                    f'{sources[file]} and {source} would both be written as '
                    f'{target.name}: run them one by one into different folders'
                )
            sources[file] = source


def date_of(file: Path) -> int | None:
    """Return when a file was changed, in nanoseconds; None if there is none."""
    return file.stat().st_mtime_ns if file.is_file() else None


def remove_stale(
    folder: Path, name: str, formats: Sequence[str], written: Sequence[Path]
) -> list[Path]:
    """Remove files of a clip's results that an earlier run wrote, and this one did not.

    ``formats`` and ``written`` are those of this run. The files are returned.
    """
    stale = []
    for form in formats:
        files = [folder / f'{name}.{form}']
        if WRITERS[form].per_person:
            pattern = re.compile(rf'{re.escape(name)}_person\d+\.{re.escape(form)}')
            files += [x for x in folder.iterdir() if pattern.fullmatch(x.name)]
        stale += [file for file in files if file.is_file() and file not in written]
    for file in stale:
        file.unlink()
    return sorted(stale)


@contextmanager
def results_folder(
    folder: Path,
    targets: Iterable[tuple[object, Iterable[Path]]],
    read: Iterable[str | Path],
) -> Iterator[None]:
    """Create a writable folder; remove it again if nothing was written to it.

    Other arguments are those of :func:`check_targets`.
    """
    check_targets(targets, read)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # permissions alone do not show it
            pass
    except OSError as error:
        text = '{out_dir}: cannot write to %s: %s'
        raise ArgumentError(text, folder, error.strerror) from error
    sweep(folder)
    sweep(folder / CACHE_FOLDER)
    try:
        yield
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()  # if empty
