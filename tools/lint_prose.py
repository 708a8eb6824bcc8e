"""Check words for `make lint`: comments, constants, shapes of arrays.

Comments begin with a noun, and each constant has a line of its own. Functions with
arrays state shapes, such as (T, K, 3), in their docstring or in that of their class, or
refer to where these stand; arrays by name and functions in functions may be silent.

Example::

    python -m tools.lint_prose
"""

import ast
import re
import sys
from pathlib import Path

_TELEGRAM = re.compile(r'#\s(of|those of)\s')
_ARRAY = re.compile(r'(?<!dict\[(str|int), np\.)\b(ndarray|Tensor)\b')
_SHAPE = re.compile(
    r"\(\.\.\.\)|\((?![^()]*optional)(\.\.\.|\*?\w[\w' *+-]*),[^()]*\)"
    r'|any shape|[Ss]ee (:|the parent)'
)


def list_faults(path: Path) -> list[str]:
    """List the faults of a file, each with its line."""
    lines = path.read_text(encoding='utf-8').splitlines()
    tree = ast.parse('\n'.join(lines))
    faults = [
        f'{row}: a comment begins with "of"'
        for row, (before, line) in enumerate(zip(['', *lines], lines, strict=False), 1)
        if _TELEGRAM.search(line) and not before.lstrip().startswith('#')
    ]
    faults += [
        f'{x.lineno}: several constants in one line'
        for x in tree.body
        if isinstance(x, ast.Assign)
        and isinstance(x.targets[0], ast.Tuple)
        and isinstance(x.value, ast.Tuple)
    ]
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.Module | ast.ClassDef):
            continue
        about = ast.get_docstring(owner) if isinstance(owner, ast.ClassDef) else ''
        for x in owner.body:
            if isinstance(x, ast.FunctionDef) and ast.unparse(x.body) != '...':
                kinds = f'{ast.unparse(x.args)} {x.returns and ast.unparse(x.returns)}'
                words = f'{ast.get_docstring(x)} {about}'
                if _ARRAY.search(kinds) and not _SHAPE.search(words):
                    faults.append(f'{x.lineno}: {x.name} states no shape of its arrays')
    return [f'{path}:{fault}' for fault in faults]


if __name__ == '__main__':
    files = [*Path('mmhot').rglob('*.py'), *Path('tools').rglob('*.py')]
    found = [fault for file in sorted(files) for fault in list_faults(file)]
    sys.exit('\n'.join(found) or None)
