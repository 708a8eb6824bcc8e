"""Where a tool is to write."""

from argparse import ArgumentTypeError
from pathlib import Path

from mmhot.io.atomic import is_in_the_way


def output_file(text: str) -> Path:
    """Return the path of a file that can be made or replaced; a type for argparse.

    What cannot be replaced is told before the work is done, not after it.
    """
    path = Path(text)
    if is_in_the_way(path):
        raise ArgumentTypeError(f'{path} is no ordinary file')
    return path
