"""Write the table of options in docs/api.md from the steps and dataclasses themselves.

Example:
  python -m tools.option_tables docs/api.md
"""

import argparse
import re
from pathlib import Path

from mmhot.chain.calls import INFER, LIFT, REFINE, STREAM
from mmhot.chain.options import ExportOptions
from mmhot.chain.run import StepChoice
from mmhot.chain.write import SAVED
from mmhot.options import Option, Options, options_of

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


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Write the table of options')
    parser.add_argument('page', type=Path, help='Markdown file with the marks')
    return parser.parse_args()


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


def main() -> None:
    """Rewrite the page."""
    args = parse_args()
    args.page.write_text(with_table(args.page.read_text()))


if __name__ == '__main__':
    main()
