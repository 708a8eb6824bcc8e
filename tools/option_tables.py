"""Write the options of docs/api.md and mmhot/apis/keywords.py as the code has them.

Example:
  python -m tools.option_tables
"""

import re
from inspect import signature
from pathlib import Path

from mmhot.chain.calls import INFER, LIFT, REFINE, STREAM
from mmhot.chain.options import ExportOptions
from mmhot.chain.run import StepChoice
from mmhot.chain.write import SAVED
from mmhot.options import Option, Options, options_of

PAGE, KEYWORDS = Path('docs/api.md'), Path('mmhot/apis/keywords.py')
CALLS: dict[str, tuple[type[Options], ...]] = {
    'infer': INFER,
    'lift': LIFT,
    'refine': REFINE,
    'stream': STREAM,
    'clip.save': (*SAVED.steps, ExportOptions, StepChoice),
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

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypedDict

from mmhot.structures.lens import Lens'''
_KEYWORDS = 'Infer', 'Lift', 'Refine', 'Stream'


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


def _default_of(option: Option) -> str:
    stated = re.search(r'\(default:? ([^()]*)\)', option.help)
    if stated:
        return stated[1]
    return '' if option.default in (None, ()) else f'`{option.default!r}`'


def _meaning_of(option: Option) -> str:
    text = _FLAG.sub(lambda flag: flag[1].replace('-', '_'), option.help)
    text = re.sub(r' ?\(default:? [^()]*\)', '', text)
    choices = ', '.join(f'`{choice}`' for choice in option.choices)
    return (f'{text} ({choices})' if choices else text).replace('|', r'\|')


def keywords() -> str:
    """Return the module of the arguments; what calls share is a base class."""
    calls_of: dict[str, str] = {}  # by line
    for call in _KEYWORDS:
        for name, option in options_of(*CALLS[call.lower()]).items():
            line = f'    {name}: {_type_of(option)}'
            if len(line) > 88:
                line = f'    {name}: (\n        {_type_of(option)}\n    )'
            calls_of[line] = calls_of.get(line, '') + call
    shared = [x for x in dict.fromkeys(calls_of.values()) if x not in _KEYWORDS]
    parts = [_HEADER]
    for name in (*shared, *_KEYWORDS):
        body = [line for line, calls in calls_of.items() if calls == name]
        if name in shared:
            parts.append(f'class _{name}(TypedDict, total=False):')
        else:
            parents = [f'_{x}' for x in shared if name in x] + ['total=False']
            head = f'class {name}Options({", ".join(parents)}):'
            if len(head) > 88:
                lines = ''.join(f'    {parent},\n' for parent in parents)
                head = f'class {name}Options(\n{lines}):'
            text = f'    """Options of ``mmhot.{name.lower()}``."""'
            parts.append(f'{head}\n{text}' + '\n' * bool(body))
        parts[-1] = '\n'.join([parts[-1], *body])
    return '\n\n\n'.join(parts) + '\n'


def _type_of(option: Option) -> str:
    """Return what may be stated: the type, or what its reader takes."""
    if option.choices:
        text = f'Literal[{", ".join(map(repr, option.choices))}]'
    elif option.read is not None:
        value, *_ = signature(option.read).parameters.values()
        text = re.sub(r'[\w.]+\.', '', str(value.annotation))
    else:
        is_file = option.metavar in ('FILE', 'MODEL')
        text = 'str | Path' if is_file else option.kind.__name__
    return f'{text} | None' if option.default is None else text


def main() -> None:
    """Rewrite the page and the module."""
    PAGE.write_text(with_table(PAGE.read_text()))
    KEYWORDS.write_text(keywords())


if __name__ == '__main__':
    main()
