"""Tables of text."""

from collections.abc import Sequence


def align(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """Align columns: the first to the left, numbers to the right.

    Args:
        lines (Sequence[Sequence[str]]): Cells; all lines have as many.
        left (int): How many columns are of words and go to the left.

    Returns:
        str: The lines, without a newline at the end.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for line in lines:
        cells = [x.ljust(width) for x, width in zip(line, widths, strict=True)][:left]
        cells += [x.rjust(w) for x, w in zip(line, widths, strict=True)][left:]
        rows.append('  '.join(cells).rstrip())
    return '\n'.join(rows)
