"""``mmhot doctor``: versions, imports and repairs of the installed packages."""

import json
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import mmhot
from mmhot.cli.dispatch import build_parser, main
from mmhot.compat import SHIMS, doctor
from mmhot.compat.doctor import examine, repair_commands, try_imports
from mmhot.errors import pip
from mmhot.io import atomic
from mmhot.weights.index import DEFAULT_LIFTER

REQUIRES = metadata.requires('mmhot')
PIP = f'{sys.executable} -m pip '
LIBRARY = 'OSError: libGL.so.1: cannot open shared object file'
ABI = 'ValueError: numpy.dtype size changed, may indicate binary incompatibility'


class Site:
    """A folder of installed packages that has only what a test puts there."""

    def __init__(self, folder):
        self.folder = folder
        for item in map(Requirement, REQUIRES):
            if any(doctor._applies(item, extra) for extra in ('', 'mmpose')):
                self.add(item.name, doctor._version(item.name))
        self.add('pip', '26.0')
        wanted = ''.join(f'Requires-Dist: {text}\n' for text in REQUIRES)
        self.add('mmhot', '0.1.0', text=wanted)

    def add(self, name, version, text=''):
        module = doctor._module(name).partition('.')[0]
        module = 'cv2' if name.startswith('opencv') else module
        (self.folder / module).mkdir(exist_ok=True)
        (self.folder / module / '__init__.py').write_text('')
        info = self.folder / f'{name.replace("-", "_")}-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n{text}')

    def remove(self, name):
        for info in self.folder.glob(f'{name.replace("-", "_")}-*.dist-info'):
            (info / 'METADATA').unlink()
            info.rmdir()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A complete environment, to be damaged."""
    folder = tmp_path / 'site'
    folder.mkdir()
    site = Site(folder)
    assert build_parser()  # imports the commands, which the new path would hide
    assert atomic
    monkeypatch.setattr(sys, 'path', [str(folder)])
    for path in folder.iterdir():  # loaded modules would be found without the path
        if path.name != 'mmhot':
            monkeypatch.delitem(sys.modules, path.name, raising=False)
    return site


@pytest.fixture
def outcomes(monkeypatch):
    """Errors of imports by module."""
    errors = {}

    def fake(modules):
        return {module: errors.get(module, '') for module in modules}, ['cpu']

    monkeypatch.setattr(doctor, 'try_imports', fake)
    return errors


def look():
    """Statuses by name that are not fine, and the commands that repair them."""
    statuses, _ = examine()
    bad = {x.name: x for x in statuses if x.verdict not in ('ok', 'optional')}
    return bad, repair_commands(statuses)


def test_complete_environment_needs_no_repair(site, outcomes):
    assert look() == ({}, [])
    found = {status.name: status for status in examine()[0]}
    assert list(found)[:2] == ['python', 'mmhot']
    assert found['torch'].allowed == '>=2.6'
    assert found['gradio'].verdict == 'optional'


def test_packages_that_are_missing_or_not_allowed_are_installed(site, outcomes):
    for name in ('mmpose', 'numpy', 'torch'):
        site.remove(name)
    site.add('numpy', '1.25.2')
    outcomes['mmdet'] = LIBRARY  # after the others are repaired
    found, commands = look()
    assert {name: status.verdict for name, status in found.items()} == {
        'numpy': 'broken',
        'torch': 'missing',
        'mmdet': 'broken',
        'mmpose': 'missing',
    }
    assert found['numpy'].note == 'mmhot needs >=1.26'
    assert commands == [
        f"{PIP}install 'numpy>=1.26' 'torch>=2.6'",
        f'{PIP}install --no-deps mmpose==1.3.2',
    ]


def test_without_pytorch_and_openmmlab_its_extra_is_optional(site, outcomes):
    for name in ('torch', 'mmengine', 'mmdet', 'mmpose', 'onnxruntime'):
        site.remove(name)
    found, commands = look()
    assert list(found) == ['onnxruntime']
    assert commands == [f"{PIP}install 'onnxruntime>=1.23'"]


def test_environment_of_uv_is_repaired_by_uv(site, outcomes):
    site.remove('tqdm')
    (site.folder / 'pip/__init__.py').unlink()
    (site.folder / 'pip').rmdir()
    assert look()[1] == [f'uv pip install --python {sys.executable} tqdm']


def test_other_opencv_will_do_but_not_two_versions(site, outcomes):
    site.remove('mmengine')
    site.add('onedl-mmengine', '0.10.12')
    site.remove('opencv-python-headless')
    site.add('opencv-python', '4.12.0.88')
    assert look()[0] == {}
    site.add('opencv-contrib-python', '4.10.0')
    (status,) = look()[0].values()
    assert status.note == 'opencv-python and opencv-contrib-python overwrite each other'
    assert status.command == (
        f'{PIP}uninstall -y opencv-python opencv-contrib-python && '
        f"{PIP}install 'opencv-python-headless>=4.12'"
    )


@pytest.mark.parametrize(
    ('module', 'error', 'command'),
    [
        ('mmpose.apis', LIBRARY, '--force-reinstall --no-deps mmpose==1.3.2'),
        ('mmdet', "No module named 'shapely'", 'mmdet==3.2.0'),
        ('pycocotools.mask', ABI, "--force-reinstall --no-deps 'pycocotools>=2.0.8'"),
    ],
)
def test_failed_imports_are_repaired(site, outcomes, module, error, command):
    outcomes[module] = error
    (status,) = look()[0].values()
    assert status.note == error
    assert look()[1] == [f'{PIP}install {command}']


def test_imports_go_on_after_failures_until_the_process_ends(tmp_path, monkeypatch):
    for name, code in dict(
        sound='print("noise")',
        raising='raise OSError("libGL.so.1:\\n cannot open")',
        crashing='import os; os._exit(7)',
    ).items():
        (tmp_path / f'{name}.py').write_text(code)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    assert try_imports(['sound', 'raising', 'crashing', 'json'])[0] == {
        'sound': '',
        'raising': 'OSError: libGL.so.1: cannot open',
        'crashing': 'its import crashes',
    }


def test_no_other_hint_at_pip():
    """Plain ``pip`` may be that of another Python: ``mmhot.errors.pip`` names ours."""
    modules = Path(mmhot.__file__).parent.rglob('*.py')
    assert not [x for x in modules if re.search(r'pip install\b', x.read_text('utf-8'))]


def test_command_prints_tables_or_failures_or_json(site, outcomes, capsys):
    outcomes['mmdet'] = 'ImportError: no'
    assert main(['doctor']) == 1
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.startswith('mmdet ')]
    assert row.split() == ['mmdet', '3.2.0', '==3.2.0', 'broken', 'ImportError:', 'no']
    assert all(f'\n{shim.name}' in out for shim in SHIMS)
    assert '\ndevice: cpu' in out
    assert out.rstrip().endswith('mmdet==3.2.0')
    assert main(['doctor', '--quiet']) == 1
    assert 'shim' not in capsys.readouterr().out
    assert main(['doctor', '--json']) == 1
    content = json.loads(capsys.readouterr().out)
    assert not content['ok']
    (mmdet,) = [x for x in content['packages'] if x['name'] == 'mmdet']
    assert mmdet['command'] == content['commands'][-1]
    assert content['devices'] == ['cpu']


def test_damaged_weights_are_named(tmp_path):
    shipped = Path(mmhot.__file__).parent / 'weights'
    assert doctor._judge_weights(shipped).verdict == 'ok'
    damage = {
        'foot-contacts_cmu.npz': lambda data: b'PK',
        f'{DEFAULT_LIFTER}.onnx': lambda data: data[: len(data) // 2],
        f'{DEFAULT_LIFTER}.errors.json': lambda data: data.replace(b'1', b'2', 1),
    }
    sums = (shipped / 'SHA256SUMS').read_text()
    lines = [line for line in sums.splitlines() if line.split()[1] in damage]
    (tmp_path / 'SHA256SUMS').write_text('\n'.join([*lines, f'{"0" * 64}  lost.npz']))
    for name, change in damage.items():
        (tmp_path / name).write_bytes(change((shipped / name).read_bytes()))
    status = doctor._judge_weights(tmp_path)
    assert status.fails
    assert all(name in status.note for name in (*damage, 'lost.npz'))


def test_wrong_use_is_one_line(site, outcomes, capsys):
    assert main(['doctor', '--device', 'cuda:3']) == 2
    assert "--device must be one of cpu, got 'cuda:3'" in capsys.readouterr().err
    site.remove('mmhot')
    assert main(['doctor']) == 2
    line = f'mmhot doctor: error: mmhot is needed: {pip("install", ".")}\n'
    assert capsys.readouterr().err == line
