"""Failed imports of tools as one line; to be imported before all other packages."""

import sys
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from mmhot.cli.errors import print_line
from mmhot.errors import explain, is_debugging


def _explain(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print one line that names ``mmhot doctor``, and exit with code 2."""
    has_begun = any(frame.f_code.co_name == 'main' for frame, _ in walk_tb(trace))
    if has_begun or is_debugging() or not isinstance(error, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    print_line(f'{Path(sys.argv[0]).name}: error: {explain(error)}', sys.stderr)
    raise SystemExit(2)


sys.excepthook = _explain
