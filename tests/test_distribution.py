"""Ways to the package besides pip: the notebook, the image, wheel and sdist."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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


@pytest.mark.slow(reason='runs a Jupyter kernel')
def test_notebook_runs_and_shows_the_viewer(tmp_path):
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shutil.copy(ROOT / 'demo' / 'walk.mp4', tmp_path)
    resources = {'metadata': {'path': str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    outputs = [
        output['data']
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'data' in output
    ]
    assert outputs[0]['text/plain'] == '(136, 17, 3)'
    assert 'src="data:text/html;base64,' in outputs[1]['text/html']
    assert b'window.mmhot' in (tmp_path / 'walk.html').read_bytes()
    assert (tmp_path / 'walk.bvh').is_file()


@pytest.mark.slow(reason='builds the wheel and the sdist; needs the registry')
def test_wheel_and_sdist_pass_twine(tmp_path):
    names = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    for name in filter(None, names.split('\0')):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
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
