"""Tables of text."""

from collections.abc import Sequence


def align(lines: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, numbers to the right.

    Args:
        lines (Sequence[Sequence[str]]): Cells; all lines have as many.

    Returns:
        str: The lines, without a newline at the end.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for first, *others in lines:
        cells = [first.ljust(widths[0])]
        cells += [x.rjust(width) for x, width in zip(others, widths[1:], strict=True)]
        rows.append('  '.join(cells).rstrip())
    return '\n'.join(rows)
