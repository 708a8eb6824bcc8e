"""``mmhot doctor``: what is installed, whether it works, what mends it."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from mmhot.installation.import_probe import Failure, ImportProbe
from mmhot.installation.installed import find_installed
from mmhot.installation.mending import mending_command
from mmhot.installation.requirements import Requirement, read_requirements, release

from mmhot import compat
from mmhot.cli import main
from mmhot.compat import SHIMS, Shim, _state
from mmhot.installation import examine, findings, mending_commands
from mmhot.io import atomic

STACK = {
    item.name: item
    for file in ('build', 'run', 'mm', 'optional')
    for item in read_requirements(file)
}
PIP = f'{sys.executable} -m pip '


class Site:
    """A folder of installed packages that has only what a test puts there."""

    def __init__(self, folder):
        self.folder = folder
        for name, item in STACK.items():
            if item.file != 'optional':
                self.add(name)

    def add(self, name, version=None, module=None):
        version = version or STACK[name].spec.lstrip('=>')
        module = module or STACK[name].module
        (self.folder / module).mkdir(exist_ok=True)
        (self.folder / module / '__init__.py').write_text('x = 1\n')
        info = self.folder / f'{name.replace("-", "_")}-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n')
        (info / 'RECORD').write_text(f'{module}/__init__.py,,6\n')

    def remove(self, name, module=True):
        for info in self.folder.glob(f'{name.replace("-", "_")}-*.dist-info'):
            for file in info.iterdir():
                file.unlink()
            info.rmdir()
        if module:
            folder = self.folder / STACK[name].module
            (folder / '__init__.py').unlink()
            folder.rmdir()

    def replace(self, name, version):
        self.remove(name)
        self.add(name, version)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A complete environment, to be harmed."""
    folder = tmp_path / 'site'
    folder.mkdir()
    made = Site(folder)
    monkeypatch.setattr(sys, 'path', [str(folder)])
    # modules that are loaded would be found without the path
    names = {item.module for item in STACK.values()} & set(sys.modules)
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    return made


class FakeProbe:
    """Attempts that end as a test says; the rest goes well."""

    failures: dict = {}
    skipped: tuple = ()

    def __init__(self, attempts, niceness):
        self.attempts = attempts

    def results(self, deadline):
        done = {
            attempt: self.failures.get(attempt)
            for attempt in self.attempts
            if attempt not in self.skipped
        }
        return done, ['cpu'] if 'import torch' in done else []


def look(**failures):
    """Findings by name, with these attempts failing."""

    class Probe(FakeProbe):
        pass

    Probe.failures = failures.pop('failures', {})
    Probe.skipped = failures.pop('skipped', ())
    found, _ = examine(1.0, Probe)
    return {finding.name: finding for finding in found}


def verdicts(found):
    return {
        name: finding.verdict
        for name, finding in found.items()
        if finding.verdict not in ('ok', 'optional')
    }


def test_complete_environment_has_nothing_to_mend(site):
    found = look()
    assert verdicts(found) == {}
    assert mending_commands(found.values()) == []
    assert list(found)[:3] == ['python', 'mmhot', 'setuptools']
    assert found['torch'].tested == '2.11.x'
    assert found['torch'].imported
    assert found['mediapipe'].verdict == 'optional'
    assert not any(finding.is_unproven for finding in found.values())


def test_missing_packages_are_installed_in_an_order_that_works(site):
    for name in ('mmpose', 'mmcv', 'numpy', 'torch', 'mmengine'):
        site.remove(name)
    failure = Failure("ModuleNotFoundError: No module named 'mmcv'", 'mmcv')
    found = look(failures={'start mmdet': failure})
    assert verdicts(found) == {
        **dict.fromkeys(['torch', 'numpy', 'mmengine', 'mmcv', 'mmpose'], 'missing'),
        'mmdet': 'broken',
    }
    assert found['mmdet'].note.startswith('needs mmcv: ModuleNotFoundError')
    build, run, mm = mending_commands(found.values())
    assert build.startswith(f'{PIP}install setuptools==')
    assert 'ninja==' in build
    assert run == f'{PIP}install {STACK["torch"]} {STACK["numpy"]}'
    assert mm == (
        f'CUDA_VISIBLE_DEVICES= MMCV_WITH_OPS=1 {PIP}install --no-deps '
        '--no-build-isolation '
        f'{STACK["mmengine"]} {STACK["mmcv"]} {STACK["mmpose"]}'
    )


def test_operators_for_another_pytorch_are_compiled_again(site):
    failure = Failure('OSError: undefined symbol: _ZN3c10', 'mmcv')
    found = look(failures={'link mmcv._ext': failure})
    assert verdicts(found) == {'mmcv': 'broken'}
    assert found['mmcv'].note == 'mmcv._ext: OSError: undefined symbol: _ZN3c10'
    command = mending_commands(found.values())[-1]
    assert command.endswith(
        '--no-build-isolation --force-reinstall --no-cache-dir mmcv==2.1.0'
    )
    assert mending_command(found['mmcv']) == command


def test_version_out_of_bounds_is_broken_and_another_untested(site):
    site.replace('numpy', '2.1.0')
    site.replace('scipy', '1.20.0')
    found = look()
    assert verdicts(found) == {'numpy': 'broken', 'scipy': 'untested'}
    assert found['numpy'].note.startswith('needs <2: MMPose')
    assert mending_commands(found.values()) == [
        f'{PIP}install --force-reinstall --no-deps {STACK["numpy"]}'
    ]
    assert mending_command(found['scipy']) == f'{PIP}install {STACK["scipy"]}'


def test_package_of_nobody_knows_which_version_is_untested(site):
    site.remove('scipy', module=False)
    found = look()
    assert verdicts(found) == {'scipy': 'untested'}
    assert found['scipy'].found == 'unknown'


def test_missing_and_emptied_files_are_damage(site):
    (site.folder / 'scipy/__init__.py').write_text('')
    (site.folder / 'av/__init__.py').unlink()
    found = look()
    assert verdicts(found) == {'scipy': 'broken', 'av': 'broken'}
    assert found['scipy'].note == 'has a damaged scipy/__init__.py'
    assert found['av'].note == 'lacks av/__init__.py'


def test_edited_source_is_no_damage(site):
    (site.folder / 'scipy/__init__.py').write_text('x = 1  # edited\n')
    assert verdicts(look()) == {}


def test_package_hidden_by_another_is_told(site, tmp_path, monkeypatch):
    other = tmp_path / 'other'
    (other / 'scipy').mkdir(parents=True)
    (other / 'scipy/__init__.py').write_text('')
    monkeypatch.setattr(sys, 'path', [str(other), *sys.path])
    found = look(failures={'import scipy': Failure('ImportError: no', 'scipy')})
    assert verdicts(found) == {'scipy': 'broken'}
    (command,) = mending_commands(found.values())
    assert command.startswith(f'# remove {other}/scipy/__init__.py, which hides')


def test_other_opencv_will_do_but_not_two_versions(site):
    site.remove('opencv-python-headless')
    site.add('opencv-python', STACK['opencv-python-headless'].spec[2:], 'cv2')
    found = look()['opencv-python-headless']
    assert (found.verdict, found.note) == ('ok', 'it is opencv-python')
    site.add('opencv-contrib-python', '4.10.0', 'cv2')
    found = look()
    assert verdicts(found) == {'opencv-python-headless': 'broken'}
    uninstall, install = mending_commands(found.values())
    assert uninstall == f'{PIP}uninstall -y opencv-python opencv-contrib-python'
    assert install.startswith(f'{PIP}install --force-reinstall --no-deps opencv')


def test_module_that_nobody_listed_is_installed(site):
    failure = Failure("ModuleNotFoundError: No module named 'chumpy'", 'chumpy')
    found = look(failures={'start mmpose': failure})
    assert verdicts(found) == {'mmpose': 'broken'}
    assert mending_commands(found.values()) == [f'{PIP}install chumpy']


def test_broken_optional_package_is_no_failure(site):
    site.add('mediapipe', '0.10.30')
    found = look()
    assert verdicts(found) == {'mediapipe': 'broken'}
    assert not any(finding.fails for finding in found.values())
    assert mending_commands(found.values()) == []


def test_mediapipe_comes_without_the_opencv_it_asks_for(site):
    command = mending_command(look()['mediapipe'])
    alone, needs = command.split(' && ')
    assert alone == f'{PIP}install --no-deps mediapipe==0.10.21'
    assert needs.startswith(f'{PIP}install absl-py attrs flatbuffers')


def test_what_is_not_imported_in_time_is_judged_by_its_files(site):
    found = look(skipped=('import mmdet',))
    assert (found['mmdet'].verdict, found['mmdet'].imported) == ('ok', None)
    assert found['mmdet'].is_unproven


def test_package_without_its_data_is_broken(site, tmp_path, monkeypatch):
    folder = tmp_path / 'mmhot'
    folder.mkdir()
    monkeypatch.setattr(findings.mmhot, '__file__', str(folder / '__init__.py'))
    found = look()['mmhot']
    assert found.fails
    assert found.note.startswith(f'{folder} lacks .mim/configs/_base_, .mim/req')


def run_probe(attempts, folder, monkeypatch, seconds=20.0):
    monkeypatch.setattr(sys, 'path', [str(folder), *sys.path])
    return ImportProbe(attempts).results(time.monotonic() + seconds)


def test_probe_survives_what_crashes_and_tells_who_is_at_fault(tmp_path, monkeypatch):
    for name, code in dict(
        sound='print("noise")',
        raising='import deeper',
        deeper='raise OSError("libGL.so.1:\\n cannot open")',
        lacking='import not_there',
        wanting='import torch\nraise AssertionError',
        crashing='import os; os.abort()',
    ).items():
        (tmp_path / f'{name}.py').write_text(code)
    names = ['sound', 'raising', 'lacking', 'crashing', 'sound']
    done, devices = run_probe(
        ['start wanting', *(f'import {name}' for name in names)], tmp_path, monkeypatch
    )
    assert done == {
        'start wanting': None,
        'import sound': None,
        'import raising': Failure('OSError: libGL.so.1: cannot open', 'deeper'),
        'import lacking': Failure(
            "ModuleNotFoundError: No module named 'not_there'", 'not_there'
        ),
        'import crashing': Failure(f'crashes ({signal.SIGABRT.name})', 'crashing'),
    }
    assert devices == []


def test_probe_gives_up_at_its_deadline(tmp_path, monkeypatch):
    (tmp_path / 'hanging.py').write_text('import time; time.sleep(600)')
    done, _ = run_probe(['import hanging'], tmp_path, monkeypatch, seconds=0.2)
    assert done == {}


def test_operators_are_linked_with_pytorch(tmp_path, monkeypatch):
    (tmp_path / 'bare').mkdir()
    (tmp_path / 'bare/__init__.py').write_text('')
    (tmp_path / 'foul').mkdir()
    (tmp_path / 'foul/_ext.so').write_text('no library' * 100)
    attempts = ['link mmcv._ext', 'link bare._ext', 'link foul._ext']
    done, _ = run_probe(attempts, tmp_path, monkeypatch)
    assert done['link mmcv._ext'] is None
    assert done['link bare._ext'].reason == (
        'ImportError: bare has no compiled operators (bare._ext)'
    )
    assert 'invalid ELF header' in done['link foul._ext'].reason


@pytest.mark.parametrize(
    ('version', 'numbers'),
    [('2.11.0+cu130', (2, 11, 0)), ('1.0rc1', (1, 0)), ('x', ())],
)
def test_release_is_the_leading_numbers(version, numbers):
    assert release(version) == numbers


def test_bounds_pad_versions():
    item = Requirement('x', '>=24', '<2.2: why', 'run')
    assert item.objection('2.1.9') == item.objection('2') == ''
    assert item.objection('2.2') == item.objection('2.2.0') == 'needs <2.2: why'
    assert item.is_tested('24.0')
    assert not item.is_tested('23.9')


def test_every_pin_and_its_reason_are_read():
    assert str(STACK['mmcv']) == 'mmcv==2.1.0'
    assert STACK['pyyaml'].module == 'yaml'
    assert find_installed('no-such-thing', 'no_such_thing') is None
    assert len(STACK) > 30


def test_state_of_shims_is_known_without_importing(site, monkeypatch):
    monkeypatch.setattr(compat, '_undo', {})
    site.replace('torch', '2.5.1')
    states = {shim.name: _state(shim) for shim in SHIMS if shim.since}
    assert states == {
        'checkpoint globals': 'not needed',
        'tostring_rgb': 'with mmhot.plugin',
    }
    gone = Shim('x', '', lambda: None, since=('no-such-thing', (1, 0)))
    assert _state(gone) == 'not needed'


@pytest.fixture
def found_bad(monkeypatch, site):
    """The command finds MMCV broken."""
    assert atomic  # is there before the path is taken away
    failure = Failure('ImportError: no', 'mmcv')

    class Probe(FakeProbe):
        failures = {'start mmcv': failure}

    monkeypatch.setattr(findings, 'ImportProbe', Probe)
    monkeypatch.setattr(
        'mmhot.installation.examine', lambda seconds: examine(seconds, Probe)
    )


def test_command_prints_tables_and_fails(found_bad, capsys):
    assert main(['doctor']) == 1
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.startswith('mmcv ')]
    assert row.split() == ['mmcv', '2.1.0', '2.1.x', 'broken', 'ImportError:', 'no']
    for shim in SHIMS:
        assert f'\n{shim.name}' in out
    assert '\ndevice: cpu' in out
    assert out.rstrip().endswith('mmcv==2.1.0')


def test_quiet_command_prints_what_is_wrong_only(found_bad, capsys):
    assert main(['doctor', '--quiet']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith('mmcv')
    assert lines[2] == ''
    assert 'shim' not in ' '.join(lines)


def test_command_writes_json(found_bad, capsys, tmp_path):
    file = tmp_path / 'doctor.json'
    assert main(['doctor', '--json', '--out', str(file)]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads(file.read_text())
    assert not content['ok']
    packages = {package['name']: package for package in content['packages']}
    assert packages['mmcv']['imported'] is False
    assert packages['mmcv']['command'] == content['commands'][-1]
    assert packages['torch'] == {
        'name': 'torch',
        'found': '2.11.0',
        'tested': '2.11.x',
        'verdict': 'ok',
        'needed': True,
        'imported': True,
        'note': '',
        'command': None,
    }
    assert content['devices'] == ['cpu']
    assert [shim['name'] for shim in content['shims']] == [x.name for x in SHIMS]


def test_device_that_is_not_there_is_refused(found_bad, capsys):
    assert main(['doctor', '--device', 'cuda:3']) == 2
    assert "no device 'cuda:3' here, only cpu" in capsys.readouterr().err


def test_requirements_come_with_the_package():
    folder = Path(findings.mmhot.__file__).parent / '.mim/requirements'
    assert {'run.txt', 'mm.txt', 'build.txt'} <= {x.name for x in folder.iterdir()}


@pytest.mark.parametrize('extra', ['augment', 'ray', 'render', 'rerun', 'ui'])
def test_extras_are_the_versions_that_doctor_knows(extra):
    known = {str(item) for item in read_requirements('optional')}
    wanted = {str(item) for item in read_requirements(extra)}
    assert wanted
    assert wanted <= known
