"""Records of finished inputs, for runs that resume an interrupted one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmhot.io.atomic import CACHE_FOLDER, replacing
from mmhot.video.cache import digest


@dataclass(frozen=True)
class CompletedRun:
    """Results of one input.

    Attributes:
        facts (str): Digest of all that the results depend on.
        run (str): Run that wrote them.
        files (dict[str, list[int]]): Size in bytes and modification time in
            nanoseconds of each file, by its name.
        frames (int): Number of frames.
        people (int): Number of people.
    """

    facts: str
    run: str
    files: dict[str, list[int]]
    frames: int
    people: int

    @classmethod
    def of(
        cls, files: Sequence[Path], facts: object, run: str, frames: int, people: int
    ) -> 'CompletedRun':
        """Describe results that were just written; ``facts`` are plain values."""
        states = {file.name: _state(file) for file in files}
        return cls(digest(facts), run, states, frames, people)

    def save(self, folder: Path, name: str) -> None:
        """Write the record of an input into the folder of the results."""
        path = _path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self)), encoding='utf-8')


def load_completed(folder: Path, name: str, facts: object) -> CompletedRun | None:
    """Load the record of an input.

    Args:
        folder (Path): Folder of the results.
        name (str): Name of the input.
        facts (object): All that the results depend on, as plain values.

    Returns:
        CompletedRun | None: None if there is no record, its facts are others, or a
        result is missing or was changed.
    """
    try:
        document = json.loads(_path(folder, name).read_text(encoding='utf-8'))
        completed = CompletedRun(**document)
        states = {file: _state(folder / file) for file in completed.files}
    except (OSError, TypeError, ValueError, AttributeError):
        return None
    is_current = states == completed.files and completed.facts == digest(facts)
    return completed if is_current else None


def _path(folder: Path, name: str) -> Path:
    return folder / CACHE_FOLDER / f'{name}.finished.json'


def _state(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
