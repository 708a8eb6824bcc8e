"""What became of an input."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mmhot.chain.options import OutputOptions
from mmhot.chain.run import StageTimes
from mmhot.errors import ArgumentError, explain_any, is_debugging
from mmhot.io.results import remove_stale
from mmhot.progress import Report


@dataclass
class Outcome:
    """Result of processing one input."""

    name: str
    times: StageTimes = field(default_factory=StageTimes)  # as far as reached
    people: int = 0  # number of lifted people
    error: ArgumentError | str = ''  # reason of a failure; empty on success
    skipped: bool = False  # whether an earlier run had finished the input
    files: list[Path] = field(default_factory=list)  # the files that were written


@contextmanager
def processing(outcome: Outcome, options: OutputOptions, report: Report) -> Iterator:
    """Keep the error of a block in an outcome, so that other inputs are processed.

    What an earlier run wrote, and a whole run did not write again, is removed.
    """
    try:
        yield
    except Exception as error:
        if is_debugging():
            raise
        outcome.error = (
            error if isinstance(error, ArgumentError) else explain_any(error)
        )
    if not (outcome.error or outcome.skipped):
        folder, name = options.out_dir, outcome.name
        removed = remove_stale(folder, name, options.formats, outcome.files)
        if removed:
            names = ', '.join(file.name for file in removed)
            report.say(f'{name}: {names} of an earlier run removed')
