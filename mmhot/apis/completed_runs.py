"""Which inputs are finished, for runs that go on where another one stopped."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mmhot.io.atomic import replacing
from mmhot.video.cache import FOLDER, digest


@dataclass(frozen=True)
class Finished:
    """What was written of an input.

    Attributes:
        facts (str): Digest of everything that the results depend on.
        run (str): In which run it was finished.
        files (dict[str, list[int]]): Size in bytes and date in nanoseconds of each
            file, by its name in the folder of the results.
        frames (int): Frames that were looked at.
        people (int): People that were found.
    """

    facts: str
    run: str
    files: dict[str, list[int]]
    frames: int
    people: int

    @classmethod
    def of(
        cls, files: list[Path], facts: object, run: str, frames: int, people: int
    ) -> 'Finished':
        """Describe results that were just written; facts are plain values."""
        described = {file.name: _describe(file) for file in files}
        return cls(digest(facts), run, described, frames, people)

    def save(self, folder: Path, name: str) -> None:
        """Note that the input of a name is finished."""
        path = _path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self)), encoding='utf-8')


def load_finished(folder: Path, name: str, facts: object) -> Finished | None:
    """Look up whether an input is finished.

    Args:
        folder (Path): Of the results.
        name (str): Of the input.
        facts (object): Everything that the results depend on, plain values.

    Returns:
        Finished | None: None if it is not, if it was with other facts, or if a result
        is gone or was changed.
    """
    try:
        document = json.loads(_path(folder, name).read_text(encoding='utf-8'))
        finished = Finished(**document)
        whole = all(
            _describe(folder / file) == state for file, state in finished.files.items()
        )
    except (OSError, TypeError, ValueError, AttributeError):
        return None
    return finished if whole and finished.facts == digest(facts) else None


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / f'{name}.finished.json'


def _describe(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
