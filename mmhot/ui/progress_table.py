"""How far a run is, as HTML."""

from html import escape

from mmhot.ui.lifting_run import Progress

_STAGES = {'2D': 'People in 2D', '3D': 'Poses in 3D'}


def describe(progress: Progress, command: str) -> str:
    """Stages with bars, notes, what went wrong, and the command that does the same.

    Args:
        progress (Progress): Of a run.
        command (str): As for a terminal.

    Returns:
        str: HTML, in which nothing that users or files say is markup.
    """
    parts = []
    if progress.error:
        parts.append(describe_error(progress.error))
    rows = [
        _row(name, *counts, progress.done) for name, counts in progress.stages.items()
    ]
    if rows:
        parts.append(f'<div class="stages">{"".join(rows)}</div>')
    elif not progress.done:
        parts.append(f'<p>{escape(progress.doing)} ...</p>')
    parts += [f'<p class="note">{escape(note)}</p>' for note in progress.notes]
    if progress.done and not progress.error:
        parts.append(f'<p class="note">The same: <code>{escape(command)}</code></p>')
    return ''.join(parts)


def describe_error(text: str) -> str:
    """One line that says what is wrong; nothing for an empty one."""
    return f'<div class="error" role="alert">{escape(text)}</div>' if text else ''


def _row(stage: str, done: int, total: int, ended: bool) -> str:
    name = escape(_STAGES.get(stage, f'Write {stage}'))
    if ended:
        total = total or 1
        done = done or total
    percent = 100 * min(done, total) // total if total else 0
    count = f'{done} / {total}' if total > 1 else ''
    return (
        f'<span>{name}</span><div class="bar" role="progressbar" aria-label="{name}" '
        f'aria-valuenow="{percent}"><div style="width: {percent}%"></div></div>'
        f'<span>{count}</span>'
    )
