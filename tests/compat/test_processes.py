"""Processes that mmhot starts run nothing of the folder where it was started."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
from paths import ROOT

from mmhot.compat.installation import python_command

PACKAGE = ROOT / 'mmhot'


def test_modules_of_the_folder_are_not_imported(tmp_path, monkeypatch):
    for name in ('json', 'random', 'numpy', 'sitecustomize', 'mmhot'):
        text = f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n"
        (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    code = 'import random, numpy, mmhot; print(mmhot.__file__, *sys.argv[1:])'
    command = python_command(code, 'a', 'b c')
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f'{PACKAGE / "__init__.py"} a b c\n', done.stderr
    assert not (tmp_path / 'ran').exists()


def test_every_process_is_started_so():
    files = [path for path in PACKAGE.rglob('*.py') if '.mim' not in path.parts]
    starting = {x.name for x in files if '[sys.executable' in x.read_text('utf-8')}
    assert starting == {'installation.py'}
    assert sys.executable in python_command('')


@pytest.mark.skipif(find_spec('resource') is None, reason='Windows has no limits')
def test_processes_end_at_their_memory_limit():
    code = 'bytearray(300 << 20); '
    done = {
        memory: subprocess.run(python_command(code, memory=memory), capture_output=True)
        for memory in (0, 250 << 20, 1 << 30)
    }
    assert [each.returncode for each in done.values()] == [0, 1, 0]
    assert b'MemoryError' in done[250 << 20].stderr
    # a lower limit of this process is kept
    code = (
        f'import subprocess; subprocess.run({python_command("", memory=16 << 30)!r}, '
    )
    lower = python_command(code + 'check=True)', memory=1 << 30)
    assert subprocess.run(lower).returncode == 0
