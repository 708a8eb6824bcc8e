"""Files of the visitors of the page: uploads and results, deleted when they leave."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmhot.ui.lifting_run import LiftingRun

# Seconds after which files that belong to no session are deleted: interrupted uploads.
_LEFT_OVER_AGE = 600
# Prefix of the folders of results.
_RUN = 'run-'


@dataclass
class _Session:
    """One open page: its run, and the folders of its uploads."""

    run: LiftingRun | None = None
    uploads: set[Path] = field(default_factory=set)


class Sessions:
    """Keeps the files of open pages and deletes those of closed ones.

    Args:
        folder (Path): Folder into which Gradio uploads each file, in a folder of its
            own; results are written to folders beside them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._sessions: dict[str, _Session] = {}
        self._closed: set[str] = set()
        self._lock = threading.Lock()

    def hold(self, name: str, uploads: Iterable[str | None]) -> None:
        """Keep the uploads that a page shows, and delete its earlier ones.

        Args:
            name (str): Session.
            uploads (Iterable[str | None]): Uploaded files; None for an empty field.
        """
        with self._lock:
            if name in self._closed:
                return
            session = self._sessions.setdefault(name, _Session())
            before = session.uploads
            folders = {Path(path).resolve().parent for path in uploads if path}
            # clients choose the paths: never the folder itself, or results
            session.uploads = {
                path
                for path in folders
                if path.parent == self._folder and not path.name.startswith(_RUN)
            }
            self._delete(before - session.uploads)

    def start(
        self, name: str, source: Path, options: Mapping[str, Any]
    ) -> LiftingRun | None:
        """Prepare the run of a page; the results of its previous run are deleted.

        Args:
            name (str): Session.
            source (Path): Uploaded input.
            options (Mapping[str, Any]): See :class:`LiftingRun`.

        Returns:
            LiftingRun | None: None if the page was closed or its upload deleted.
        """
        with self._lock:
            session = self._sessions.setdefault(name, _Session())
            if session.run is not None:
                session.run.discard()
                session.run = None
            if name in self._closed or not source.exists():
                return None
            self._folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_RUN, dir=self._folder))
            # the page may replace its upload during the run
            kept = folder / 'input' / source.name
            kept.parent.mkdir()
            try:
                os.link(source, kept)
            except OSError:  # not every file system has links
                shutil.copy(source, kept)
            session.run = LiftingRun(kept, folder, options)
            return session.run

    def stop(self, name: str) -> None:
        """Stop the run of a page at its next frame."""
        session = self._sessions.get(name)
        if session is not None and session.run is not None:
            session.run.stop()

    def close(self, name: str) -> None:
        """Stop the run of a page and delete all its files."""
        with self._lock:
            self._closed.add(name)
            session = self._sessions.pop(name, _Session())
            if session.run is not None:
                session.run.discard()
            self._delete(session.uploads)

    def close_all(self) -> None:
        """Close all pages and wait for their runs to end."""
        runs = [each.run for each in self._sessions.values() if each.run is not None]
        for name in list(self._sessions):
            self.close(name)
        for run in runs:
            run.wait()

    def sweep(self) -> None:
        """Delete files of no open page, such as interrupted uploads, after a while."""
        with self._lock, suppress(FileNotFoundError):
            oldest = time.time() - _LEFT_OVER_AGE
            for path in set(self._folder.iterdir()) - self._held():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        _delete(path)

    def _held(self) -> set[Path]:
        sessions = self._sessions.values()
        runs = {each.run.folder for each in sessions if each.run is not None}
        return runs.union(*(each.uploads for each in sessions))

    def _delete(self, folders: set[Path]) -> None:
        # equal uploads of several pages are one file
        for path in folders - self._held():
            _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
