"""Packages with an entry point `mmhot` extend the command line."""

import os
import subprocess
import sys

import pytest
from clip_files import cut_skater
from paths import ROOT

from mmhot.io.lifted import read_lifted

PACKAGE = ROOT / 'tests/data/extension'


def install(folder, name, module):
    """Write what pip does for a package with an entry point."""
    info = folder / f'{name}-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0')
    (info / 'entry_points.txt').write_text(f'[mmhot]\n{name} = {module}\n')


@pytest.fixture
def skater(tmp_path):
    return cut_skater(tmp_path / 'skater.npz', 40)


@pytest.fixture
def run(tmp_path):
    """Run `mmhot` where packages of the folder are installed."""
    variables = os.environ | {'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}

    def run(*words, code=0):
        command = [sys.executable, '-m', 'mmhot', *map(str, words)]
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr + done.stdout

    return run


def test_writer_step_and_2d_model_work_on_the_command_line(tmp_path, run, skater):
    module = PACKAGE / 'mmhot_heights.py'
    (tmp_path / module.name).write_bytes(module.read_bytes())
    install(tmp_path, 'mmhot-heights', 'mmhot_heights')
    check(run, tmp_path, skater)
    # registered steps have flags and can be left out, like mmhot's own
    run('lift', skater, '--seconds', '0.4', '--formats', 'npz')
    assert len(read_lifted(tmp_path / f'results/{skater.name}')) == 10
    assert '--seconds' in run('lift', '--help')
    run('lift', skater, '--without', 'first-second', '--formats', 'npz')
    assert len(read_lifted(tmp_path / f'results/{skater.name}')) == 40


def check(run, folder, skater):
    run('lift', skater, '--formats', 'heights,npz')
    heights = (folder / 'results/skater.heights').read_text().splitlines()
    clip = read_lifted(folder / f'results/{skater.name}')
    assert len(heights) == len(clip) == 25
    assert clip.model.endswith(', first second')
    assert [*clip.steps][-1] == 'first-second'
    assert 0.5 < float(heights[0]) < 2.5
    image = ROOT / 'docs/images/dance.jpg'
    said = run('infer', image, '--pose2d', 'boxes', '--formats', 'npz', '--no-cache')
    assert 'boxes: whole_image, 2D keypoints: boxes' in said


def test_broken_package_is_one_line_and_left_out(tmp_path, run, skater):
    (tmp_path / 'broken.py').write_text('import nothing_like_this')
    install(tmp_path, 'broken', 'broken')
    said = run('lift', skater, '--formats', 'npz')
    assert said.startswith(
        'mmhot lift: the extension broken (broken) is left out: ModuleNotFoundError'
    )
    assert said.count('is left out') == 1
    assert len(read_lifted(tmp_path / f'results/{skater.name}')) == 40
