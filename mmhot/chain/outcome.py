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

    def remove_stale(self, options: OutputOptions, report: Report) -> None:
        """Remove what an earlier run wrote and a whole run did not write again."""
        if self.error or self.skipped:
            return
        removed = remove_stale(options.out_dir, self.name, options.formats, self.files)
        if removed:
            names = ', '.join(file.name for file in removed)
            report.say(f'{self.name}: {names} of an earlier run removed')


@contextmanager
def noting_errors(outcome: Outcome) -> Iterator[None]:
    """Keep the error of a block in an outcome, so that other inputs are processed."""
    try:
        yield
    except Exception as error:
        if is_debugging():
            raise
        outcome.error = (
            error if isinstance(error, ArgumentError) else explain_any(error)
        )
