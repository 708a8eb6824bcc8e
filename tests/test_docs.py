"""Links, configs, commands and options that the documentation names exist."""

import argparse
import doctest
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from paths import ROOT

import mmhot
from mmhot.chain.formats import FORMATS
from mmhot.cli.dispatch import build_parser
from mmhot.cli.errors import run_tool
from mmhot.structures.clips_3d import Clip3D
from tools.option_tables import KEYWORDS, PAGE, keywords, with_table

PLACES = (
    '*.md',
    'docs/*.md',
    'demo/*.md',
    'configs/README.md',
    'configs/*/*/*.md',
    'mmhot/weights/*.md',
    'projects/*/*.md',
)
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
# The changelog names what is gone.
CURRENT = [page for page in PAGES if page.name != 'CHANGELOG.md']
METAFILES = sorted(ROOT.glob('configs/*/*/metafile.yml'))


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request):
    return request.param


def headings(page):
    """Anchors as GitHub makes them."""
    lines = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', line).lower().replace(' ', '-') for line in lines}


def test_examples_of_docstrings_print_what_they_say():
    sources = ROOT.glob('mmhot/**/*.py')
    files = [file for file in sources if '>>> ' in file.read_text()]
    assert files
    for file in files:
        name = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        result = doctest.testmod(importlib.import_module(name))
        assert result.attempted
        assert not result.failed, name


def test_links_resolve(page):
    links = re.findall(r'\]\(([^)\s]+)\)', page.read_text())
    for link in links:
        path, _, anchor = link.partition('#')
        if '://' in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


def test_examples_of_registered_parts_run(tmp_path):
    code = python_blocks('extending')[0]  # imports of all examples
    for call, page in EXAMPLES.items():
        code += next(x for x in python_blocks(page) if call in x) + EFFECTS[call]
    code = code.replace("'demo/", f"'{ROOT}/demo/")
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    subprocess.run([sys.executable, '-c', code], check=True, cwd=tmp_path, env=env)


def python_blocks(page):
    text = (ROOT / f'docs/{page}.md').read_text()
    return re.findall(r'```python\n(.*?)```', text, re.DOTALL)


# Pages whose example registers a part; the last one changes all poses.
EXAMPLES = {
    'register_skeleton': 'mmpose',
    'register_writer': 'extending',
    'register_reader': 'extending',
    'register_pose_estimator': 'extending',
    'register_step': 'extending',
}
# What the examples of docs/ change, checked after them.
EFFECTS = {
    'register_skeleton': """
from mmhot.skeletons.joints import convert_keypoints, get_skeleton, skeleton_with
import numpy as np
assert skeleton_with(6) == 'upper-body-6'
points = np.arange(12.0).reshape(1, 6, 2)
found, *_ = convert_keypoints(points, np.ones((1, 6)), 'upper-body-6', 'coco-17')
assert (found[0, get_skeleton('coco-17').joints.index('left_wrist')] == [8, 9]).all()
""",
    'register_writer': """
from pathlib import Path
heights = [float(line) for line in Path('skating.heads').read_text().split()]
assert len(heights) == 185
assert 1 < sum(heights) / 185 < 2
""",
    'register_reader': """
skater = mmhot.read_keypoints('demo/skating_2d_coco17.npz').tracks[0].keypoints
np.savetxt('a.pose', skater.reshape(len(skater), -1))
read = mmhot.read_keypoints('a.pose').tracks[0].keypoints
np.testing.assert_allclose(read, skater[: len(read)], atol=1e-3)
""",
    'register_step': """
confident = mmhot.read_lifted('confident.npz')
assert 0 < len(confident) < 185 and confident.scores.mean(1).min() > 0.6
whole = mmhot.lift('demo/skating_2d_coco17.npz', without='confident')
assert len(whole) == 185
""",
    'register_pose_estimator': """
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
detector, estimator = open_pose_source(Pose2DOptions(pose2d='boxes'))
images = [np.zeros((40, 60, 3), np.uint8)] * 2
(points, scores), _ = estimator(images, [boxes for boxes, _ in detector(images)])
assert (points == [30, 20]).all() and scores.shape == (1, 17)
""",
}


def commands(page):
    """Split the commands of a page's shell blocks and of its `inline code`."""
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
    return of_mmhot or bool(re.fullmatch(r'tools/\w+\.py|tools(\.\w+)+', words[0]))


class Stop(Exception):  # noqa: N818
    """Raised with the parser of a tool."""


def options_of(command, monkeypatch):
    """List the options of a command's parser, and of its subcommand's."""
    if command[0] == 'mmhot':
        parser, parsers = build_parser()
        if command[1].startswith('-'):
            return parser._option_string_actions
        assert command[1] in parsers, command
        return parsers[command[1]]._option_string_actions
    is_module = command[0].startswith('tools.')
    path = ROOT / (command[0].replace('.', '/') if is_module else command[0])

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
        if not hasattr(module, 'add_arguments'):
            return ()
        with pytest.raises(Stop) as stopped:
            run_tool(module.add_arguments, module.main)
    parser = stopped.value.args[0]
    options = dict(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and command[1:]:
            options |= action.choices[command[1]]._option_string_actions
    return options


@pytest.mark.parametrize('page', CURRENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page, monkeypatch):
    for command in commands(page):
        known = options_of(command, monkeypatch)
        options = {word.partition('=')[0] for word in command if word[:2] == '--'}
        assert options <= set(known), command


@pytest.mark.parametrize('name', ['train', 'test'])
def test_every_option_is_documented(name, monkeypatch):
    text = (ROOT / 'docs' / 'training.md').read_text()
    options = {*options_of([f'tools/{name}.py'], monkeypatch)} - {'-h', '--help'}
    assert not [option for option in options if not re.search(rf'`{option}\b', text)]


def test_options_of_the_page_and_of_editors_are_those_of_the_code():
    page = (ROOT / PAGE).read_text()
    assert with_table(page) == page, 'see tools/option_tables'
    assert keywords() == (ROOT / KEYWORDS).read_text(), 'see tools/option_tables'


def test_configs_that_are_named_exist(page):
    for path in re.findall(r'(?<![\w/.])configs/[\w/.-]+\.py', page.read_text()):
        found = any((folder / path).is_file() for folder in (ROOT, page.parent))
        assert path.endswith('/CONFIG.py') or found, path
    named = re.findall(r'mmhot::([\w/.-]+\.py)', page.read_text())
    assert not [path for path in named if not (ROOT / 'configs' / path).is_file()]


@pytest.mark.parametrize('page', CURRENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page):
    named = re.findall(r'`((?:mmhot|tools|docs|tests)/[^`\s]*)`', page.read_text())
    found = {path for path in named if [*ROOT.glob(path.rstrip('/'))]}
    assert not [path for path in {*named} - found if 'NAME' not in path]


def test_make_targets_that_are_named_exist(page):
    known = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    named = re.findall(r'(?:`|^)make ([a-z-]+)', page.read_text(), re.MULTILINE)
    assert {*named} <= {*known}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_readme_names_every_config_and_metafile_its_readme(path):
    metafile = yaml.safe_load(path.read_text())
    assert all(
        (ROOT / part['README']).is_file() for part in metafile.get('Collections', ())
    )
    # Both tasks of an algorithm count.
    pages = ROOT.glob(f'configs/*/{path.parent.name}/README.md')
    text = ''.join(page.read_text() for page in pages)
    configs = [Path(model['Config']).name for model in metafile['Models']]
    assert not [config for config in configs if config not in text]


@pytest.mark.parametrize('start', ['README.md', 'docs/index.md'])
def test_every_page_can_be_reached_from(start):
    found = [ROOT / start]
    for page in found:
        links = re.findall(r'\]\(([^)#\s]+\.md)', page.read_text())
        paths = {(page.parent / link).resolve() for link in links if '://' not in link}
        found += sorted(paths - set(found))
    assert {page for page in PAGES if page.parent == ROOT / 'docs'} <= set(found)


def test_readme_links_to_every_algorithm():
    text = (ROOT / 'README.md').read_text()
    linked = re.findall(r'\(configs/\w+/(\w+)\)', text)
    assert {path.parent.name for path in METAFILES} <= {*linked}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_metafile_marks_results_of_papers(path):
    """Models have measured results or the paper's; one template may have none."""
    models = yaml.safe_load(path.read_text())['Models']
    assert sum(not model['Results'] for model in models) <= 1
    for model in models:
        sources = {result.get('Source', 'measured') for result in model['Results']}
        assert sources <= {'measured', 'paper'}, model['Name']
        for result in model['Results']:
            assert {'Task', 'Dataset', 'Metrics'} <= set(result)
        assert model['Metadata']['FLOPs'] == 2 * model['Metadata']['MACs']


def test_every_field_and_format_of_results_is_described():
    text = (ROOT / 'docs' / 'output-formats.md').read_text()
    names = [
        *(field.name for field in fields(Clip3D)),
        *(f'.{name}' for name in FORMATS if name != 'json'),
    ]
    assert not [name for name in names if f'`{name}`' not in text]


def test_site_has_every_page_in_its_menu():
    menu = (ROOT / 'mkdocs.yml').read_text()
    pages = [page for page in PAGES if page.parent.name not in (ROOT.name, 'demo')]
    names = [x.relative_to(ROOT).as_posix().removeprefix('docs/') for x in pages]
    assert not [name for name in names if f': {name}\n' not in menu]


def test_architecture_names_every_package():
    text = (ROOT / 'ARCHITECTURE.md').read_text()
    names = [path.stem for path in (ROOT / 'mmhot').glob('[!_.]*')]
    assert not [name for name in names if not re.search(rf'\b{name}\b', text)]


@pytest.mark.slow(reason='builds the documentation site')
def test_site_has_every_page_and_name_and_no_dead_link(tmp_path):
    programs = (ROOT / '.venv-docs/bin/mkdocs', shutil.which('mkdocs'))
    program = next((name for name in programs if name and Path(name).is_file()), None)
    if program is None:
        pytest.skip('MkDocs is not installed: make docs')
    site = tmp_path / 'site'
    command = [program, 'build', '--strict', '--site-dir', site]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    texts = {path: path.read_text() for path in site.rglob('*.html')}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', x)) for path, x in texts.items()}
    for path, text in texts.items():
        if path.name == '404.html':
            continue
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            target, _, anchor = link.partition('#')
            if '://' in link or link.startswith('data:'):
                continue
            found = (path.parent / target).resolve() if target else path
            found = found / 'index.html' if found.is_dir() else found
            assert found.is_file(), f'{path.relative_to(site)}: {link}'
            assert not anchor or anchor in ids[found], f'{path.name}: {link}'
    pages = {page.relative_to(ROOT / 'docs') for page in ROOT.glob('docs/*.md')}
    assert {str(page.with_suffix('.html')) for page in pages} <= {
        str(path.relative_to(site)) for path in texts
    }
    assert not [x for x in mmhot._LAZY if f'mmhot.{x}' not in texts[site / 'api.html']]
    index = (site / 'search' / 'search_index.json').read_text()
    assert 'TimedAttentionRecoverer' in index
