"""Records of finished inputs, for runs that resume an interrupted one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmhot.errors import require_file
from mmhot.io.arrays import load_json
from mmhot.io.atomic import CACHE_FOLDER, replacing
from mmhot.video.cache import describe_file, digest, log_unusable


@dataclass(frozen=True)
class CompletedRun:
    """Results of one input.

    Attributes:
        facts (str): Digest of all that the results depend on.
        run (str): Run that wrote them.
        files (dict[str, list]): Size in bytes, modification time in nanoseconds and
            digest of samples of each file, by its name.
        frames (int): Number of frames.
        people (int): Number of people.
    """

    facts: str
    run: str
    files: dict[str, list]
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
        record = {'checksum': digest(asdict(self)), **asdict(self)}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(record), encoding='utf-8')


def load_completed(folder: Path, name: str, facts: object) -> CompletedRun | None:
    """Load the record of an input.

    Args:
        folder (Path): Folder of the results.
        name (str): Name of the input.
        facts (object): All that the results depend on, as plain values.

    Returns:
        CompletedRun | None: None if there is no record, it was edited, its facts are
        others, or a result is missing or was changed.
    """
    path = _path(folder, name)
    try:
        record = load_json(require_file(path))
        if not isinstance(record, dict) or record.pop('checksum') != digest(record):
            raise ValueError('checksum')
        completed = CompletedRun(**record)
    except (KeyError, OSError, TypeError, ValueError):
        log_unusable(path)
        return None
    try:
        states = {file: _state(folder / file) for file in completed.files}
    except OSError:
        return None
    is_current = states == completed.files and completed.facts == digest(facts)
    return completed if is_current else None


def _path(folder: Path, name: str) -> Path:
    return folder / CACHE_FOLDER / f'{name}.finished.json'


def _state(file: Path) -> list:
    return describe_file(file)[1:]
