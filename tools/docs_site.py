"""MkDocs hooks: pages from outside docs/, links that GitHub understands, public API.

Links in the Markdown files are paths within the repository, as GitHub follows them. On
the site, links to Markdown lead to its page and links to code to a page that shows it.
"""

import posixpath
import re
from functools import cache
from pathlib import Path

from mkdocs.structure.files import File

from mmhot import _LAZY

ROOT = Path(__file__).parents[1]
PAGES = (
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'demo/README.md',
    'configs/*/*/README.md',
    'mmhot/weights/*.md',
    'projects/*/README.md',
)
# README.md is GitHub's first page; the site's is docs/index.md.
HOME = {'README.md': 'docs/index.md'}
API_MARK = '<!-- public names -->'
IMAGES = ('.png', '.jpg')
MORE_API = {'mmhot.apis.Inferencer': 'mmhot.apis.inferencer.Inferencer'}
_LINK = re.compile(r'(!?\[[^\]]*\]\()([^)\s]+)(\))')
_ROLE = re.compile(r':(?:attr|class|data|exc|func|meth|mod):(?=<code>)')
_CODE = re.compile(r'(```.*?```)', re.DOTALL)


def on_files(files, config):
    """Add the repository's other pages, and a page for every file they link to."""
    pages = [path for place in PAGES for path in sorted(ROOT.glob(place))]
    for path in pages:
        source = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, source, content=path.read_text()))
    docs = sorted((ROOT / 'docs').glob('*.md'))
    linked = {target for page in docs + pages for target in _links_of(page)}
    for target in sorted(linked):
        source = _site_path(target)
        if files.get_file_from_path(source) is not None:
            continue
        is_image = Path(target).suffix in IMAGES
        content = (ROOT / target).read_bytes() if is_image else _listing(target)
        files.append(File.generated(config, source, content=content))
    return files


def on_page_markdown(markdown, page, **_):
    """Rewrite the links of a page and insert the public names."""
    source = _repository_path(page.file.src_uri)

    def rewrite(match):
        path, mark, anchor = match[2].partition('#')
        if '://' in path or not path:
            return match[0]
        target = _site_path(_resolve(source, path))
        link = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or '.')
        return f'{match[1]}{link}{mark}{anchor}{match[3]}'

    parts = _CODE.split(markdown)
    parts[::2] = [_LINK.sub(rewrite, part) for part in parts[::2]]
    return ''.join(parts).replace(API_MARK, _public_names())


def on_page_content(html, **_):
    """Show code alone where docstrings have Sphinx's roles, such as :func:."""
    return _ROLE.sub('', html)


def _resolve(source: str, link: str) -> str:
    """Return what a link of a file leads to, as a path within the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if (ROOT / path).is_dir():
        path = f'{path}/README.md'
    return HOME.get(path, path)


@cache
def _links_of(page: Path) -> set[str]:
    """List the files that a page links to."""
    source = page.relative_to(ROOT).as_posix()
    prose = ''.join(_CODE.split(page.read_text())[::2])
    links = {match[2].partition('#')[0] for match in _LINK.finditer(prose)}
    return {_resolve(source, link) for link in links if link and '://' not in link}


def _site_path(path: str) -> str:
    """Map a path within the repository to one within the site's sources."""
    if path.startswith('docs/'):
        return path.removeprefix('docs/')
    path = path.removeprefix('.')  # MkDocs leaves out hidden folders
    return path if path.endswith(('.md', *IMAGES)) else f'{path}.md'


def _repository_path(source: str) -> str:
    """Map a path within the site's sources to one within the repository."""
    return f'docs/{source}' if (ROOT / 'docs' / source).exists() else source


def _listing(path: str) -> str:
    """Write a page that shows a file."""
    language = {'.py': 'python', '.sh': 'bash', '.yml': 'yaml'}.get(Path(path).suffix)
    head = f'---\nsearch:\n  exclude: true\n---\n# {Path(path).name}\n\n`{path}`\n\n'
    return f'{head}```{language or ""}\n{(ROOT / path).read_text()}```\n'


def _public_names() -> str:
    """Write mkdocstrings' directives for the names that ``import mmhot`` offers."""
    public = {f'mmhot.{name}': f'{_LAZY[name]}.{name}' for name in sorted(_LAZY)}
    return '\n\n'.join(
        f'::: {path}\n    options:\n      heading: {name}\n      toc_label: {name}'
        for name, path in {**public, **MORE_API}.items()
    )
