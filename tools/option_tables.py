"""Write the options of docs/api.md and mmhot/apis/keywords.py as the code has them.

Example:
  python -m tools.option_tables
"""

import re
from inspect import signature
from pathlib import Path

from mmhot.chain.calls import INFER, LIFT, REFINE, SAVE, STREAM
from mmhot.options import DeclaredOption, Options, options_of

PAGE = Path('docs/api.md')
KEYWORDS = Path('mmhot/apis/keywords.py')
CALLS: dict[str, tuple[type[Options], ...]] = {
    'infer': INFER.kinds,
    'lift': LIFT.kinds,
    'refine': REFINE.kinds,
    'stream': STREAM.kinds,
    'clip.save': SAVE.kinds,
}
_FLAG = re.compile(r'--([a-z\d-]+)')
_MARKS = (
    '<!-- options: python -m tools.option_tables -->\n',
    '<!-- end of options -->\n',
)
_HEADER = '''\
"""Types of the options of ``infer``, ``lift``, ``refine`` and ``stream``, for editors.

Written by ``python -m tools.option_tables``; ``docs/api.md`` has their meanings.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict

from mmhot.structures.lens import Lens'''
# Base class of the options that several calls have, by the initials of the calls.
_SHARED = {
    'ilrs': '_Any',
    'ilr': '_Clips',
    'ils': '_Models',
    'is': '_Frames',
    'lr': '_Files',
}


def with_table(text: str) -> str:
    """Return a page with the table between its marks."""
    before, _, rest = text.partition(_MARKS[0])
    _, _, after = rest.partition(_MARKS[1])
    return f'{before}{_MARKS[0]}{option_table()}{_MARKS[1]}{after}'


def option_table() -> str:
    """Return the table of all options: their calls, defaults and meanings."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for call, kinds in CALLS.items():
        for name, option in options_of(*kinds).items():
            if (call, name) != ('clip.save', 'formats'):  # the suffix says it
                row = name, _default_of(option), _meaning_of(option)
                rows.setdefault(row, []).append(call)
    lines = ['| option | of | default | meaning |', '| --- | --- | --- | --- |']
    for (name, default, meaning), calls in rows.items():
        of = 'all' if len(calls) == len(CALLS) else ', '.join(calls)
        lines.append(f'| `{name}` | {of} | {default} | {meaning} |')
    return '\n'.join(lines) + '\n'


def _default_of(option: DeclaredOption) -> str:
    """Return the default as Markdown, in words if the help has some."""
    stated = re.search(r'\(default:? ([^()]*)\)', option.help)
    if stated:
        return stated[1]
    return '' if option.default in (None, ()) else f'`{option.default!r}`'


def _meaning_of(option: DeclaredOption) -> str:
    """Return the help as Markdown, with names of arguments for flags."""
    text = _FLAG.sub(lambda flag: flag[1].replace('-', '_'), option.help)
    text = re.sub(r' ?\(default:? [^()]*\)', '', text)
    choices = ', '.join(f'`{choice}`' for choice in option.choices)
    return (f'{text} ({choices})' if choices else text).replace('|', r'\|')


def keywords() -> str:
    """Return the module of the arguments; what several calls share is a base class."""
    calls_of: dict[str, str] = {}  # initials by line
    for call in ('infer', 'lift', 'refine', 'stream'):
        for name, option in options_of(*CALLS[call]).items():
            line = f'    {name}: {_type_of(option)} | None'
            if len(line) > 88:
                line = f'    {name}: (\n        {_type_of(option)} | None\n    )'
            calls_of[line] = calls_of.get(line, '') + call[0]
    parts = [_HEADER]
    for calls, name in _SHARED.items():
        lines = [line for line, of in calls_of.items() if of == calls]
        parts.append('\n'.join([f'class {name}(TypedDict, total=False):', *lines]))
    for call in ('infer', 'lift', 'refine', 'stream'):
        bases = ', '.join(x for calls, x in _SHARED.items() if call[0] in calls)
        lines = [
            line
            for line, calls in calls_of.items()
            if call[0] in calls and calls not in _SHARED
        ]
        head = f'class {call.title()}Options({bases}, total=False):'
        text = f'    """Options of ``mmhot.{call}``."""\n'
        parts.append('\n'.join([head, text, *lines]))
    return '\n\n\n'.join(parts) + '\n'


def _type_of(option: DeclaredOption) -> str:
    """Return what may be stated: the type, or what its reader takes."""
    if option.choices:
        return f'Literal[{", ".join(map(repr, option.choices))}]'
    if option.limits.read is not None:
        value, *_ = signature(option.limits.read).parameters.values()
        return re.sub(r'[\w.]+\.', '', str(value.annotation))
    is_file = option.limits.metavar in ('FILE', 'MODEL')
    return 'str | Path' if is_file else option.kind.__name__


def main() -> None:
    """Rewrite the page and the module."""
    PAGE.write_text(with_table(PAGE.read_text()))
    KEYWORDS.write_text(keywords())


if __name__ == '__main__':
    main()
