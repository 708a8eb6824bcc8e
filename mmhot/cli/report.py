"""Results of commands: aligned tables, and JSON for programs."""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mmhot.cli.errors import print_text
from mmhot.errors import align

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.chain.outcome import Outcome

# Stages that have a column, in the order of the chain
_PARTS = ('2D', 'track', 'camera', '3D', 'write')
_MAX_ROWS = 40  # clips; if there are more, only failed ones have a row


def report(
    args: argparse.Namespace, content: dict, tables: Callable[[], Iterable[str]]
) -> None:
    """Print a result of a command as tables, or as JSON with ``--json``.

    Args:
        args (argparse.Namespace): Arguments, with ``json``.
        content (dict): The result in plain values.
        tables (Callable): Returns the tables.
    """
    for part in [json.dumps(content, indent=1)] if args.json else tables():
        print_text(part)


def report_outcomes(
    args: argparse.Namespace, outcomes: Iterable['Outcome'], count: int, more: str = ''
) -> int:
    """Process inputs; print failures, files, and a table of times of several inputs.

    Args:
        args (argparse.Namespace): Arguments, with ``say``, ``complain`` and
            ``verbose``.
        outcomes (Iterable[Outcome]): Outcomes, made while they are iterated.
        count (int): Number of inputs.
        more (str): Text that is added to the message when interrupted.

    Returns:
        int: Exit code: 1 if an input failed, 130 if interrupted, otherwise 0.
    """
    done: list[Outcome] = []
    interrupted = False
    try:
        for outcome in outcomes:
            done.append(outcome)
            if outcome.error:
                args.complain(outcome.error, f'{outcome.name}: ')
            if outcome.files:
                pages = [x.name for x in outcome.files if x.suffix == '.html']
                hint = f'; open {pages[0]} in a browser' if pages else ''
                args.say(f'{", ".join(map(str, outcome.files))}{hint}')
    except KeyboardInterrupt:
        interrupted = True
    if len(done) > 1 or (done and args.verbose):
        for line in stage_table(done).splitlines():
            args.say(line)
    finished = sum(not outcome.error for outcome in done)
    if interrupted:
        args.complain(f'interrupted: {finished} of {count} inputs are finished{more}')
        return 130
    return int(finished < len(done))


def stage_table(outcomes: Sequence['Outcome']) -> str:
    """Tabulate the time of each stage for every clip and for all clips.

    Returns:
        str: Lines of the table; of many clips, only failed ones have a line.
    """
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    taken = {part for outcome in ran for part in outcome.times.seconds}
    stages = [part for part in _PARTS if part in taken]
    lines = [['clip', 'frames', 'people', *(f'{s}, s' for s in stages), 'frames/s', '']]
    for outcome in outcomes:
        if outcome.error or len(outcomes) <= _MAX_ROWS:
            note = 'finished before' if outcome.skipped else ''
            note = 'failed' if outcome.error else note
            lines.append(_sum(outcome.name, [outcome], stages, note))
    if len(ran) > 1:
        lines.append(_sum(f'all {len(ran)}', ran, stages))
    return align(lines)


def _sum(
    name: str, outcomes: Sequence['Outcome'], stages: Sequence[str], note: str = ''
) -> list[str]:
    """Return the cells of a row; stages that were not reached have a dash."""
    seconds: dict[str, float] = {}
    for outcome in outcomes:
        for stage, spent in outcome.times.seconds.items():
            seconds[stage] = seconds.get(stage, 0) + spent
    frames = sum(x.times.num_frames for x in outcomes)
    total = sum(seconds.values())
    people = [x.people for x in outcomes if not x.error]
    return [
        name,
        str(frames),
        str(sum(people)) if people else '-',
        *(f'{seconds[stage]:.1f}' if stage in seconds else '-' for stage in stages),
        f'{frames / total:.1f}' if total > 0 else '-',
        note,
    ]
