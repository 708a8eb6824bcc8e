"""Projects are built on mmhot, which does not know them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = re.compile(r'(from|import) projects\b|[\'"]projects[./]\w')
PARTS = ('mmhot', 'tools', 'configs', 'tests', 'docs', 'demo', 'requirements')


def test_nothing_names_a_project():
    for place in ('mmhot', 'tools', 'configs'):
        for path in (ROOT / place).rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            assert not NAMES.search(text), path


@pytest.mark.slow(reason='runs a part of the tests again')
def test_everything_works_without_projects(tmp_path):
    for name in PARTS:
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    options = dict(cwd=tmp_path, capture_output=True, text=True)
    options['env'] = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    some = ('tests/test_configs.py', 'tests/test_layering.py')
    for arguments in (['--collect-only', '-q'], ['-q', '-m', 'not slow', *some]):
        command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider']
        done = subprocess.run([*command, *arguments], **options)
        assert done.returncode == 0, done.stdout[-3000:]
