"""The installed package: contents of the wheel, and runs outside of the checkout."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from clip_files import cut_skater
from paths import ROOT
from test_extensions import PACKAGE
from test_extensions import check as check_extension

import mmhot
from mmhot.chain.frames.inputs import open_inputs
from mmhot.io.lifted import read_lifted
from tools.analysis.measure_lifted import measure
from tools.analysis.motions import GroundTruth

DEMO = ROOT / 'demo' / 'skating_2d_coco17.npz'
WALK = ROOT / 'demo' / 'walk.npz'
TOOLS = [*(ROOT / 'tools').rglob('*.py')]
WILD = (
    'mmhot::body_3d_keypoint/nanohtnet/cmu_mocap/'
    'nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'
)

pytestmark = pytest.mark.slow(reason='builds the wheel and installs it elsewhere')


def call(*command, cwd, code=0, path=None):
    """Run a program outside of the checkout; return its output."""
    hidden = ('PYTHONPATH', 'VIRTUAL_ENV', 'CC', 'CXX')
    variables = {k: v for k, v in os.environ.items() if k not in hidden}
    if path is not None:
        variables['PATH'] = str(path)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def uv(*arguments, **settings):
    """Run uv, the installed one or the Makefile's."""
    return call(shutil.which('uv') or ROOT / '.uv/bin/uv', *arguments, **settings)


def install(tool, path, *names):
    """Install into the environment of a folder of programs, by pip or uv."""
    where = dict(cwd=path.parent, path=path)
    if tool == 'pip':
        call(path / 'python', '-m', 'pip', 'install', *names, **where)
    else:
        uv('pip', 'install', '--python', path / 'python', *names, **where)


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    """Copy the files of a clone."""
    folder = tmp_path_factory.mktemp('sources') / 'mmhot'
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in ('mmhot', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    files = ('pyproject.toml', 'setup.py', 'MANIFEST.in', 'README.md', 'LICENSE')
    for name in (*files, 'model-index.yml'):
        shutil.copy(ROOT / name, folder)
    return folder


def build(source, folder, kind):
    """Build a distribution with the installed setuptools."""
    options = ('--no-build-isolation', '--python', sys.executable, '--out-dir', folder)
    uv('build', '--quiet', f'--{kind}', *options, source, cwd=folder)
    (file,) = folder.glob({'wheel': '*.whl', 'sdist': '*.tar.gz'}[kind])
    return file


@pytest.fixture(scope='module')
def wheel(sources, tmp_path_factory):
    return build(sources, tmp_path_factory.mktemp('wheel'), 'wheel')


def environment(folder, wheel, borrow):
    """Create an environment with the wheel, and with this one's packages if asked."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob('lib/python*/site-packages')
    if borrow:
        (site / 'first.pth').write_text(sysconfig.get_paths()['purelib'] + '\n')
    python = folder / 'bin' / 'python'
    uv('pip', 'install', '--no-deps', '--python', python, wheel, cwd=folder.parent)
    return folder / 'bin'


@pytest.fixture(scope='module')
def second(wheel, tmp_path_factory):
    return environment(tmp_path_factory.mktemp('second') / 'env', wheel, borrow=True)


def test_wheel_contains_configs_weights_and_tools(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith('/METADATA'))
        metadata = email.message_from_bytes(archive.read(metadata))
    patterns = 'configs/**/*.py', 'configs/**/*.yml', 'requirements/*.txt'
    for pattern in (*patterns, 'model-index.yml'):
        files = {path.relative_to(ROOT) for path in ROOT.glob(pattern)}
        assert {f'mmhot/.mim/{file}' for file in files} <= names
    weights = (ROOT / 'mmhot/weights').glob('*.*')
    assert {f'mmhot/weights/{path.name}' for path in weights} <= names
    tops = {name.partition('/')[0] for name in names if '.dist-info/' not in name}
    assert tops == {'mmhot'}
    tools = {name for name in names if name.startswith('mmhot/.mim/tools/')}
    assert tools == {f'mmhot/.mim/{path.relative_to(ROOT)}' for path in TOOLS}
    assert not [name for name in names if '/tests/' in name]
    needed = {
        line.partition(';')[0]
        for line in metadata.get_all('Requires-Dist')
        if 'extra ==' not in line
    }
    assert 'numpy>=1.26' in needed
    assert {'mmhot/py.typed', 'mmhot/.mim/requirements/lock.txt'} <= names
    assert not {x for x in needed if x.startswith(('torch', 'mm')) or '==' in x}


def test_source_distribution_builds_the_same_wheel(sources, wheel, tmp_path):
    archive = build(sources, tmp_path, 'sdist')
    again = build(archive, tmp_path, 'wheel')
    names = [set(zipfile.ZipFile(file).namelist()) for file in (wheel, again)]
    assert names[0] == names[1]


def test_demo_runs_outside_of_the_checkout(second, tmp_path):
    clip = shutil.copy(DEMO, tmp_path / 'clip.npz')
    formats = ('npz', 'json', 'mp4')
    options = ('--out-dir', 'out', '--formats', ','.join(formats))
    said = call(second / 'mmhot', 'lift', clip, *options, cwd=tmp_path)
    assert 'frames/s' in said
    files = [tmp_path / f'out/clip.{name}' for name in formats]
    assert min(file.stat().st_size for file in files) > 10_000
    lifted = read_lifted(tmp_path / 'out/clip.npz')
    assert lifted.keypoints_3d.shape[1:] == (17, 3)
    assert len(lifted.frame) == len(read_lifted(tmp_path / 'out/clip.json').frame)


def test_tools_run_outside_of_the_checkout(second, tmp_path):
    (tools,) = second.parent.glob('lib/python*/site-packages/mmhot/.mim/tools')
    for name in ('train', 'test', 'convert_checkpoint'):
        said = call(second / 'python', tools / f'{name}.py', '--help', cwd=tmp_path)
        assert 'usage:' in said


def test_doctor_and_list_report_their_own_installation(second, tmp_path):
    content = json.loads(call(second / 'mmhot', 'doctor', '--json', cwd=tmp_path))
    packages = {package['name']: package for package in content['packages']}
    assert packages['mmhot']['note'].startswith(str(second.parent))
    assert packages['mmcv-lite']['verdict'] == 'ok'
    assert content['ok']
    needed = [package for package in content['packages'][1:] if package['needed']]
    assert {package['verdict'] for package in needed} == {'ok'}
    table = call(second / 'mmhot', 'list', 'nanohtnet', cwd=tmp_path)
    files = [Path(x) for x in re.findall(r'(?m)^  (?:file|card)  (.+)$', table)]
    assert len(files) > 1
    assert all(file.is_relative_to(second.parent) for file in files)
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize('model', [WILD, 'nanohtnet', 'mine.py'])
def test_lift_takes_configs_by_name(model, second, tmp_path):
    (tmp_path / 'mine.py').write_text(f"_base_ = '{WILD}'\n")
    clip = shutil.copy(DEMO, tmp_path / 'clip.npz')
    options = ['--pose3d', model, '--out-dir', 'out', '--speed', 'fast']
    if model != 'nanohtnet':
        options += ['--pose3d-weights', 'nanohtnet_81frm-keep9_cmu-wild']
    said = call(second / 'mmhot', 'lift', clip, *options, cwd=tmp_path)
    assert (tmp_path / 'out/clip.npz').is_file()
    assert 'scope' not in said


def test_doctor_needs_packaging_only(wheel, tmp_path):
    bare = environment(tmp_path / 'bare', wheel, borrow=False)
    said = call(bare / 'mmhot', 'doctor', cwd=tmp_path, code=2)
    command = f'uv pip install --python {bare}/python packaging'
    assert said == f'mmhot doctor: error: packaging is needed: {command}\n'
    uv('pip', 'install', '--python', bare / 'python', 'packaging', cwd=tmp_path)
    said = call(bare / 'mmhot', 'doctor', '--json', cwd=tmp_path, code=1)
    content = json.loads(said)
    missing = {x['name'] for x in content['packages'] if x['verdict'] == 'missing'}
    assert {'numpy', 'onnxruntime', 'pyyaml'} <= missing
    assert not {'torch', 'mmcv-lite', 'mmpose'} & missing
    (together,) = content['commands']
    assert "/python 'av>=15' matplotlib 'numpy>=1.26' 'onnxruntime>=1.23'" in together
    said = call(bare / 'mmhot', 'list', cwd=tmp_path, code=2)
    assert said.startswith(
        "mmhot list: error: No module named 'yaml': run `mmhot doctor`"
    )


def test_extension_of_others_works_in_an_empty_environment(wheel, tmp_path):
    folder = tmp_path / 'env'
    uv('venv', '--seed', '--python', sys.executable, folder, cwd=tmp_path)
    package = shutil.copytree(PACKAGE, tmp_path / 'extension')
    names = (wheel, package, 'setuptools')
    uv('pip', 'install', '--python', folder / 'bin/python', *names, cwd=tmp_path)
    run = partial(call, folder / 'bin/mmhot', cwd=tmp_path)
    check_extension(run, tmp_path, cut_skater(tmp_path / 'skater.npz', 40))
    # what is printed installs what is missing
    lift = 'lift', DEMO, '--pose3d', 'nanohtnet', '--formats', 'c3d'
    said = run(*lift, code=2)
    call('bash', '-c', re.search(r'clone of mmhot, (/.*)', said)[1], cwd=ROOT)
    run(*lift)


# Raises if anything of these is imported; what is installed may be looked up.
FORBID = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        package = name.partition('.')[0]
        is_import = sys._getframe(2).f_code.co_name == '_find_and_load_unlocked'
        if is_import and package in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose'):
            raise AssertionError(f'{name} is imported')

sys.meta_path.insert(0, Forbid())
"""


def find_python(version):
    """Return the interpreter of a version, on the path or of pyenv."""
    known = (Path.home() / '.pyenv/versions').glob(f'{version}.*/bin/python')
    for path in filter(None, (shutil.which(f'python{version}'), *known)):
        # pyenv's name on the path may be that of no interpreter
        if not subprocess.run([path, '--version'], capture_output=True).returncode:
            return path
    pytest.skip(f'Python {version} is not installed')


@pytest.mark.parametrize(
    ('tool', 'version'),
    [('uv', '3.13'), ('uv', '3.14'), ('pip', '3.11')],
)
def test_base_installation_lifts_a_video_without_pytorch(
    tool, version, wheel, tmp_path
):
    """Poses are those of PyTorch to a millimeter; here to a tenth of it."""
    assert wheel.stat().st_size < 30e6
    folder = tmp_path / 'env'
    seed = ['--seed'] if tool == 'pip' else []
    uv('venv', *seed, '--python', find_python(version), folder, cwd=tmp_path)
    path = folder / 'bin'
    install(tool, path, wheel)
    (site,) = folder.glob('lib/python*/site-packages')
    assert not [*site.glob('torch*'), *site.glob('mm[cdep]*')]
    (site / 'forbid.py').write_text(FORBID)
    (site / 'forbid.pth').write_text('import forbid\n')
    run = partial(call, cwd=tmp_path, path=path)
    run(path / 'mmhot', 'infer', ROOT / 'demo/walk.mp4', '--out-dir', 'out')
    (source,) = open_inputs([str(ROOT / 'demo/walk.mp4')])
    frame = next(iter(source))
    cv2.imwrite(str(tmp_path / 'frame.png'), frame.image)
    run(path / 'mmhot', 'infer', 'frame.png', '--out-dir', 'out')
    run(path / 'mmhot', 'lift', DEMO, '--out-dir', 'out', '--pose3d', 'nanohtnet')
    options = dict(pose2d='gtpt-t', det_model='pose-verified', backend='torch')
    lift = partial(mmhot.lift, device='cpu', backend='torch')
    for name, expected in (
        ('walk', mmhot.infer(ROOT / 'demo/walk.mp4', device='cpu', **options)),
        (DEMO.stem, lift(DEMO, pose3d='nanohtnet')),
    ):
        # files have locked feet
        expected.save(tmp_path / 'expected.npz')
        expected = read_lifted(tmp_path / 'expected.npz')
        found = read_lifted(tmp_path / 'out' / f'{name}.npz')
        assert found.model == expected.model
        assert (found.frame == expected.frame).all()
        apart = np.linalg.norm(found.keypoints_3d - expected.keypoints_3d, axis=-1)
        assert apart.max() < (1e-4 if name == 'walk' else 1e-5)  # meters
    content = json.loads(run(path / 'mmhot', 'doctor', '--json'))
    assert content['ok']
    assert content['installation'] == 'runtime'
    assert 'gtpt-t' in run(path / 'mmhot', 'list')
    (site / 'forbid.pth').unlink()
    said = run(path / 'mmhot', 'export', 'gtpt-t', '--out', 'x', code=2)
    # environments of uv have no pip
    pip = rf'(uv pip|{path}/python -m pip) install '
    assert re.match(
        f'mmhot export: error: this needs torch: in the clone of mmhot, {pip}', said
    )
    assert said.endswith(' --no-deps mmpose==1.3.2\n')


@pytest.mark.parametrize('tool', ['uv', 'pip'])
def test_empty_environment_needs_no_compiler(tool, wheel, tmp_path, request):
    """docs/installation.md's commands for a wheel, and a video lifted by it."""
    folder = tmp_path / 'env'
    venv.create(folder, with_pip=tool == 'pip', symlinks=True)
    request.addfinalizer(partial(shutil.rmtree, folder))  # 6 GB
    path = folder / 'bin'
    install(tool, path, f'{wheel}[mmpose]')
    install(tool, path, '--no-deps', 'mmpose==1.3.2')
    models = ('--pose2d', 'gtpt-t', '--det-model', 'pose-verified')
    video = ('infer', ROOT / 'demo/walk.mp4', '--out-dir', 'out', *models)
    call(path / 'mmhot', *video, cwd=tmp_path, path=path)
    error = measure(read_lifted(tmp_path / 'out/walk.npz'), GroundTruth.read(WALK))
    assert error['missing'] == 0
    assert error['pixels'] == pytest.approx(4.2, abs=0.1)
    assert error['MPJPE'] == pytest.approx(43.6, abs=0.2)
    assert error['P-MPJPE'] == pytest.approx(34.2, abs=0.2)
    assert json.loads(
        call(path / 'mmhot', 'doctor', '--json', cwd=tmp_path, path=path)
    )['ok']


@pytest.mark.parametrize('name', ['lock', 'numpy1'])
def test_extras_and_groups_resolve_together_to_the_lock(name, tmp_path):
    """Locked versions are kept, so a difference is due to pyproject.toml."""
    lock = ROOT / f'requirements/{name}.txt'
    again = shutil.copy(lock, tmp_path / 'lock.txt')
    (tmp_path / 'bounds.txt').write_text('numpy<2' if name == 'numpy1' else '')
    options = ('--universal', '--no-annotate', '--no-header', '--all-extras')
    groups = ('--group', 'test', '--group', 'lint', '--python-version', '3.11')
    files = ('--constraints', tmp_path / 'bounds.txt', '--output-file', again)
    uv('pip', 'compile', *options, *groups, *files, 'pyproject.toml', cwd=ROOT)
    locked = [line.rstrip(' \\') for line in lock.read_text().splitlines()]
    locked = [line for line in locked if not line.lstrip().startswith('--hash')]
    assert again.read_text().splitlines() == locked


def test_requirements_of_pip_are_locked_ones():
    locked, wanted = (
        {line.rstrip(' \\') for line in file.read_text().splitlines()}
        for file in (ROOT / 'requirements/lock.txt', ROOT / 'requirements/pip.txt')
    )
    assert wanted <= locked
    assert {'mmpose', 'torch'} <= {x.partition('=')[0] for x in wanted}
