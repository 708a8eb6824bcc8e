"""HTML of the page of ``make demo``: sections with text, tables, images and links."""

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template


@dataclass
class Section:
    """A part of the page.

    Attributes:
        title (str): Heading.
        text (str): Paragraph.
        table (list[Sequence[str]]): Head and rows.
        files (list[Path]): To open, in the page's folder.
        images (list[Path]): Shown, in the page's folder.
        command (str): To copy.
    """

    title: str
    text: str
    table: list[Sequence[str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    command: str = ''


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmhot demo</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0;
  border-bottom: 1px solid #8886; }
pre { overflow-x: auto; }
img { max-width: 100%; display: block; margin: 0.5rem 0; }
a { margin-right: 1rem; }
</style>
</head>
<body>
<h1>mmhot demo</h1>
$sections
</body>
</html>
""")


def write_page(sections: Sequence[Section]) -> str:
    """Return the page's HTML."""
    parts = []
    for section in sections:
        parts.append(f'<h2>{html.escape(section.title)}</h2>')
        parts.append(f'<p>{html.escape(section.text)}</p>')
        names = [html.escape(path.name) for path in section.images]
        parts += [f'<img src="{name}" alt="{name}" loading="lazy">' for name in names]
        files = {path.name for path in section.files}
        if section.table:
            head, *rows = section.table
            lines = [_line(head, 'th'), *(_line(row, 'td', files) for row in rows)]
            parts.append('<table>\n{}\n</table>'.format('\n'.join(lines)))
            files -= {row[0] for row in rows}
        links = [_link(path.name) for path in section.files if path.name in files]
        if links:
            parts.append('<p>{}</p>'.format('\n'.join(links)))
        if section.command:
            parts.append(f'<pre>{html.escape(section.command)}</pre>')
    return _PAGE.substitute(sections='\n'.join(parts))


def _line(cells: Sequence[str], tag: str, files: Collection[str] = ()) -> str:
    cells = [_link(cell) if cell in files else html.escape(cell) for cell in cells]
    return '<tr>{}</tr>'.format(''.join(f'<{tag}>{cell}</{tag}>' for cell in cells))


def _link(name: str) -> str:
    return f'<a href="{html.escape(name)}">{html.escape(name)}</a>'
