"""What the documentation says exists, exists: links, configs, commands, options."""

import argparse
import importlib
import re
import shlex
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from mmhot.cli.dispatch import build_parser
from mmhot.clips import Clip3D
from mmhot.io.writers.table import WRITERS

ROOT = Path(__file__).parents[1]
PLACES = ('*.md', 'docs/*.md', 'configs/*/*/*.md', 'mmhot/weights/*.md')
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
METAFILES = sorted(ROOT.glob('configs/*/*/metafile.yml'))
# of commands that are MMPose's or PyTorch's
OTHERS = {'pip', 'cd', 'sha256sum', 'torchrun', 'make', 'git'}


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request):
    return request.param


def headings(page):
    """Anchors as GitHub makes them."""
    lines = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', line).lower().replace(' ', '-') for line in lines}


def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)\s]+)\)', page.read_text())
    for link in links:
        path, _, anchor = link.partition('#')
        if '://' in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


def commands(page):
    """Command lines of a page's shell blocks and of its `inline code`."""
    text = page.read_text()
    blocks = re.findall(r'```(?:shell|bash)\n(.*?)```', text, re.DOTALL)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    prose = re.sub(r'```.*?```', '', text, flags=re.DOTALL)
    inline = [code.replace('\n', ' ') for code in re.findall(r'`([^`]+)`', prose)]
    for line in lines + inline:
        words = shlex.split(line, comments=True) if "'" not in line else line.split()
        named = [i for i, word in enumerate(words) if is_command(words[i:])]
        if named:
            yield words[named[0] :]


def is_command(words):
    of_mmhot = words[0] == 'mmhot' and len(words) > 1
    return of_mmhot or bool(re.fullmatch(r'tools/\w+\.py|tools\.lab\.\w+', words[0]))


class Stop(Exception):  # noqa: N818
    """Raised with the parser that a tool has built."""


def options_of(command, monkeypatch):
    """Options that a command knows, by asking its own parser."""
    if command[0] == 'mmhot':
        parser, parsers = build_parser()
        if command[1].startswith('-'):
            return parser._option_string_actions
        assert command[1] in parsers, command
        return parsers[command[1]]._option_string_actions
    in_lab = command[0].startswith('tools.lab.')
    path = ROOT / (command[0].replace('.', '/') if in_lab else command[0])

    def stop(self, *_):
        raise Stop(self)

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, 'parse_known_args', stop)
        patched.setattr(sys, 'argv', [path.name])
        module = importlib.import_module(
            f'{command[0]}.__main__'
            if path.is_dir()
            else '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        )
        if not hasattr(module, 'parse_args'):
            return ()
        with pytest.raises(Stop) as stopped:
            module.parse_args()
    return stopped.value.args[0]._option_string_actions


def test_commands_and_their_options_exist(page, monkeypatch):
    for command in commands(page):
        known = options_of(command, monkeypatch)
        options = {word.partition('=')[0] for word in command if word[:2] == '--'}
        assert options <= set(known), command


@pytest.mark.parametrize('name', ['train', 'test'])
def test_every_option_is_documented(name, monkeypatch):
    text = (ROOT / 'docs' / 'training.md').read_text()
    for option in options_of([f'tools/{name}.py'], monkeypatch):
        short = option in ('-h', '--help', '--local_rank', '--local-rank')
        assert short or re.search(rf'`{option}\b', text), option


def test_configs_that_are_named_exist(page):
    for path in re.findall(r'(?<![\w/.])configs/[\w/.-]+\.py', page.read_text()):
        assert path.endswith('/CONFIG.py') or (ROOT / path).is_file(), path
    for path in re.findall(r'mmhot::([\w/.-]+\.py)', page.read_text()):
        assert (ROOT / 'configs' / path).is_file(), path


def test_paths_that_are_named_exist(page):
    named = re.findall(r'`((?:mmhot|tools|docs|tests)/[^`\s]*)`', page.read_text())
    for path in named:
        assert list(ROOT.glob(path.rstrip('/'))) or 'NAME' in path, path


def test_make_targets_that_are_named_exist(page):
    known = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    for target in re.findall(r'(?:`|^)make ([a-z-]+)', page.read_text(), re.MULTILINE):
        assert target in known


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_readme_names_every_config_and_metafile_its_readme(path):
    metafile = yaml.safe_load(path.read_text())
    assert all(
        (ROOT / part['README']).is_file() for part in metafile.get('Collections', ())
    )
    # of both tasks, where an algorithm has two
    pages = ROOT.glob(f'configs/*/{path.parent.name}/README.md')
    text = ''.join(page.read_text() for page in pages)
    for model in metafile['Models']:
        assert Path(model['Config']).name in text, model['Config']


def test_every_page_can_be_found_from_readme():
    found = [ROOT / 'README.md']
    for page in found:
        links = re.findall(r'\]\(([^)#\s]+\.md)', page.read_text())
        paths = {(page.parent / link).resolve() for link in links if '://' not in link}
        found += sorted(paths - set(found))
    assert {page for page in PAGES if page.parent == ROOT / 'docs'} <= set(found)


def test_all_that_is_written_is_described():
    text = (ROOT / 'docs' / 'output-formats.md').read_text()
    for field in fields(Clip3D):
        assert f'`{field.name}`' in text, field.name
    for name in WRITERS:
        assert name == 'json' or f'`.{name}`' in text, name


def test_readme_links_every_algorithm():
    text = (ROOT / 'README.md').read_text()
    for path in METAFILES:
        assert re.search(rf'\(configs/\w+/{path.parent.name}\)', text), path


def test_contributing_says_what_every_package_is():
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    for path in (ROOT / 'mmhot').glob('[!_.]*'):
        assert path.name in text, path
