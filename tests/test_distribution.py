"""Ways to the package besides pip: the notebook, the image, wheel and sdist."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from paths import ROOT

NOTEBOOK = ROOT / 'demo' / 'mmhot_demo.ipynb'


def read(name):
    return (ROOT / name).read_text(encoding='utf-8')


def test_notebook_has_no_outputs():
    cells = json.loads(read(NOTEBOOK))['cells']
    code = [cell for cell in cells if cell['cell_type'] == 'code']
    assert len(code) >= 4
    for cell in code:
        assert cell['outputs'] == []
        assert cell['execution_count'] is None


def test_locked_versions_have_hashes():
    for name in ('lock', 'numpy1', 'pip', 'uv'):
        entries = re.split(r'\n(?=\S)', read(f'requirements/{name}.txt').strip())
        assert all('--hash=sha256:' in entry for entry in entries)


def copy_repository(folder):
    names = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    for name in filter(None, names.split('\0')):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)


@pytest.mark.slow(reason='installs mmhot into an empty environment, from the registry')
def test_notebook_installs_mmhot_and_shows_the_viewer(tmp_path, monkeypatch):
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    copy_repository(tmp_path)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    monkeypatch.delenv('PYTHONPATH', raising=False)
    monkeypatch.setenv('JUPYTER_PATH', str(tmp_path / 'share/jupyter'))
    python = [tmp_path / 'env/bin/python', '-m']
    for command in (
        [sys.executable, '-m', 'venv', tmp_path / 'env'],
        [*python, 'pip', 'install', '--quiet', 'ipykernel'],
        [*python, 'ipykernel', 'install', '--prefix', tmp_path, '--name', 'empty'],
    ):
        subprocess.run(command, check=True)
    demo = tmp_path / 'demo'
    settings = dict(kernel_name='empty', resources={'metadata': {'path': str(demo)}})
    nbclient.NotebookClient(notebook, timeout=600, **settings).execute()
    outputs = [
        output['data']
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'data' in output
    ]
    assert outputs[0]['text/plain'] == '(136, 17, 3)'
    assert 'srcdoc="&lt;!doctype html&gt;' in outputs[1]['text/html']
    assert b'window.mmhot' in (demo / 'walk.html').read_bytes()
    assert (demo / 'walk.bvh').is_file()


@pytest.mark.slow(reason='builds the wheel and the sdist; needs the registry')
def test_wheel_and_sdist_pass_twine(tmp_path):
    copy_repository(tmp_path)
    done = subprocess.run(
        ['make', 'dist', f'UV={shutil.which("uv") or ROOT / ".uv/bin/uv"}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('PASSED') == 2
    sizes = [file.stat().st_size for file in (tmp_path / 'dist').iterdir()]
    assert max(sizes) < 30e6
