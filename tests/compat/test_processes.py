"""Processes that mmhot starts run nothing of the folder where it was started."""

import subprocess
import sys

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
