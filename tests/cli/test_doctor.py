"""``mmhot doctor``: versions, imports and repairs of the installed packages."""

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mmhot import compat
from mmhot.cli.dispatch import build_parser, main
from mmhot.compat import SHIMS, Shim, _state
from mmhot.installation import checks, import_extra, try_imports
from mmhot.installation.checks import examine, repair_commands
from mmhot.io import atomic

REQUIRES = metadata.requires('mmhot')
TESTED = {name: str(max(x)) for name, x in checks._tested_versions().items()}
PIP = f'{sys.executable} -m pip '
LIBRARY = 'OSError: libGL.so.1: cannot open shared object file'
ABI = 'ValueError: numpy.dtype size changed, may indicate binary incompatibility'


class Site:
    """A folder of installed packages that has only what a test puts there."""

    def __init__(self, folder):
        self.folder = folder
        for item in map(Requirement, REQUIRES):
            if any(checks._applies(item, extra) for extra in ('', 'mmpose')):
                self.add(item.name, TESTED[item.name])
        self.add('pip', '26.0')
        wanted = ''.join(f'Requires-Dist: {text}\n' for text in REQUIRES)
        self.add('mmhot', '0.1.0', text=wanted)

    def add(self, name, version, text=''):
        module = checks._module(Requirement(name))
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
    made = Site(folder)
    build_parser()  # imports the commands, which the new path would hide
    monkeypatch.setattr(sys, 'path', [str(folder)])
    for path in folder.iterdir():  # loaded modules would be found without the path
        if path.name != 'mmhot':
            monkeypatch.delitem(sys.modules, path.name, raising=False)
    return made


@pytest.fixture
def outcomes(monkeypatch):
    """Errors of imports by module; None for one that is not reached."""
    errors = {}

    def fake(modules, seconds):
        done = {module: errors.get(module, '') for module in modules}
        return {k: error for k, error in done.items() if error is not None}, ['cpu']

    monkeypatch.setattr(checks, 'try_imports', fake)
    return errors


def look():
    """Statuses by name, and the commands that repair them."""
    found = {status.name: status for status in examine(1.0)[0]}
    return found, repair_commands(x for x in found.values() if x.fails)


def verdicts(found):
    return {
        name: status.verdict
        for name, status in found.items()
        if status.verdict not in ('ok', 'optional')
    }


def test_complete_environment_needs_no_repair(site, outcomes):
    found, commands = look()
    assert verdicts(found) == {}
    assert commands == []
    assert list(found)[:2] == ['python', 'mmhot']
    assert found['torch'].imported
    assert found['torch'].allowed == '>=2.6'
    assert found['torch'].tested == '.'.join(TESTED['torch'].split('.')[:2]) + '.x'
    assert found['numpy'].tested.endswith(' or 1.26.x')
    assert found['gradio'].verdict == 'optional'
    assert found['xtcocotools'].note == 'pycocotools evaluates COCO results'
    assert found['mmcv-lite'].note.startswith('mmcv-lite 2.1.0 (no compiled operators)')


def test_missing_packages_are_installed_and_mmpose_alone(site, outcomes):
    for name in ('mmpose', 'numpy', 'torch'):
        site.remove(name)
    outcomes['mmdet'] = "ModuleNotFoundError: No module named 'torch'"
    found, commands = look()
    missing = dict.fromkeys(['numpy', 'torch', 'mmpose'], 'missing')
    assert verdicts(found) == {**missing, 'mmdet': 'broken'}
    assert commands == [
        f"{PIP}install 'numpy>=1.26' 'torch>=2.6'",
        f'{PIP}install --no-deps mmpose==1.3.2',
    ]


def test_without_pytorch_and_openmmlab_its_extra_is_optional(site, outcomes):
    for name in ('torch', 'mmengine', 'mmdet', 'mmpose', 'onnxruntime'):
        site.remove(name)
    found, commands = look()
    assert verdicts(found) == {'onnxruntime': 'missing'}
    assert found['torch'].verdict == found['mmpose'].verdict == 'optional'
    assert commands == [f"{PIP}install 'onnxruntime>=1.19'"]


def test_environment_of_uv_is_repaired_by_uv(site, outcomes):
    site.remove('tqdm')
    (site.folder / 'pip/__init__.py').unlink()
    (site.folder / 'pip').rmdir()
    _, commands = look()
    assert commands == [f'uv pip install --python {sys.executable} tqdm']


def test_version_that_is_not_allowed_is_broken_and_another_series_untested(
    site, outcomes
):
    for name, version in (('numpy', '1.25.2'), ('torch', '2.99.0'), ('av', '')):
        site.remove(name)
        if version:
            site.add(name, version)
    found, commands = look()
    states = {'numpy': 'broken', 'torch': 'untested', 'av': 'missing'}
    assert verdicts(found) == states
    assert found['numpy'].note == 'mmhot needs >=1.26'
    assert found['torch'].note.startswith('the tests ran with 2.')
    assert commands == [f"{PIP}install av 'numpy>=1.26'"]


def test_package_without_a_lock_is_judged_by_its_bounds(site, outcomes):
    site.add('mediapipe', '0.10.9')
    found, commands = look()
    assert verdicts(found) == {'mediapipe': 'broken'}
    assert not found['mediapipe'].fails
    assert commands == []
    command = [f"{PIP}install --no-deps 'mediapipe>=0.10.21'"]
    assert repair_commands([found['mediapipe']]) == command


def test_other_opencv_will_do_but_not_two_versions(site, outcomes):
    name, version = 'opencv-python-headless', TESTED['opencv-python-headless']
    site.remove(name)
    site.add('opencv-python', version)
    found, _ = look()
    assert (found[name].verdict, found[name].note) == (
        'ok',
        'opencv-python is installed',
    )
    site.add('opencv-contrib-python', '4.10.0')
    found, commands = look()
    assert verdicts(found) == {name: 'broken'}
    assert found[name].note == (
        f'opencv-python {version} and opencv-contrib-python 4.10.0 overwrite each other'
    )
    assert commands == [
        f'{PIP}uninstall -y opencv-python opencv-contrib-python',
        f"{PIP}install 'opencv-python-headless>=4.12'",
    ]


def test_compiled_mmcv_is_named(site, outcomes):
    site.remove('mmcv-lite')
    site.add('mmcv', '2.1.0')
    (site.folder / 'mmcv/_ext.cpython-311.so').touch()
    found, _ = look()
    assert verdicts(found) == {}
    assert found['mmcv-lite'].note == 'mmcv 2.1.0 (compiled)'


def test_first_failed_import_is_repaired(site, outcomes):
    outcomes |= {'cv2': LIBRARY, 'mmpose.apis': LIBRARY}
    found, commands = look()
    assert verdicts(found) == dict.fromkeys(
        ['mmpose', 'opencv-python-headless'], 'broken'
    )
    assert found['mmpose'].note == LIBRARY
    again = f'{PIP}install --upgrade --force-reinstall --no-deps '
    assert commands == [f"{again}'opencv-python-headless>=4.12'"]
    assert repair_commands([found['mmpose']]) == [f'{again}mmpose==1.3.2']


def test_package_for_another_numpy_is_named(site, outcomes):
    outcomes |= {'pycocotools.mask': ABI}
    found, (command,) = look()
    numpy = found['numpy'].found
    note = f'compiled for another NumPy than {numpy}: {ABI}'
    assert found['pycocotools'].note == note
    assert command.endswith("--force-reinstall --no-deps 'pycocotools>=2.0.8'")


def test_xtcocotools_that_does_not_import_is_replaced(site, outcomes, monkeypatch):
    monkeypatch.delitem(sys.modules, 'xtcocotools', raising=False)
    site.add('xtcocotools', '1.14.3')
    assert look()[0]['xtcocotools'].note == 'it evaluates COCO results'
    outcomes['xtcocotools._mask'] = "ModuleNotFoundError: No module named '_mask'"
    found, commands = look()
    assert found['xtcocotools'].verdict == 'broken'
    assert found['xtcocotools'].note.startswith('pycocotools evaluates COCO results')
    assert commands == []


def test_missing_module_of_a_package_is_installed_with_it(site, outcomes):
    outcomes['mmdet'] = "ModuleNotFoundError: No module named 'shapely'"
    assert look()[1] == [f'{PIP}install mmdet==3.2.0']


def test_file_that_hides_a_package_is_named(site, outcomes, tmp_path, monkeypatch):
    other = tmp_path / 'other/scipy'
    other.mkdir(parents=True)
    (other / '__init__.py').touch()
    monkeypatch.setattr(sys, 'path', [str(other.parent), *sys.path])
    assert verdicts(look()[0]) == {'scipy': 'untested'}
    outcomes['scipy'] = 'ImportError: no'
    found, commands = look()
    hidden = f'Python imports {other}/__init__.py instead: ImportError: no'
    assert (found['scipy'].note, commands) == (hidden, [])


def test_what_is_not_imported_in_time_is_judged_by_its_version(site, outcomes):
    outcomes['mmdet'] = None
    found, _ = look()
    assert (found['mmdet'].verdict, found['mmdet'].imported) == ('ok', None)


def test_package_without_its_data_is_broken(site, outcomes, tmp_path, monkeypatch):
    monkeypatch.setattr(checks.mmhot, '__file__', str(tmp_path / '__init__.py'))
    found, _ = look()
    assert found['mmhot'].fails
    assert found['mmhot'].note.startswith(f'{tmp_path} lacks .mim/configs/_base_, ')


def test_imports_go_on_after_failures_until_the_process_ends(tmp_path, monkeypatch):
    for name, code in dict(
        sound='print("noise")',
        raising='raise OSError("libGL.so.1:\\n cannot open")',
        lacking='import not_there',
        crashing='import os; os._exit(7)',
        hanging='import time; time.sleep(600)',
    ).items():
        (tmp_path / f'{name}.py').write_text(code)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    done, _ = try_imports(['sound', 'raising', 'lacking', 'crashing', 'json'], 60.0)
    assert done == {
        'sound': '',
        'raising': 'OSError: libGL.so.1: cannot open',
        'lacking': "ModuleNotFoundError: No module named 'not_there'",
        'crashing': 'crashes, exit code 7',
    }
    assert 'hanging' not in try_imports(['json', 'hanging'], 2.0)[0]


def test_missing_extra_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(
        ValueError, match=r"^the page needs gradio \(.+\): pip install 'mmhot\[ui\]'$"
    ):
        import_extra('gradio', 'the page', 'ui')


def test_state_of_shims_is_known_without_importing(site, monkeypatch):
    monkeypatch.setattr(compat, '_undo', {})
    site.remove('torch')
    site.add('torch', '2.5.1')
    states = {shim.name: _state(shim) for shim in SHIMS if shim.since}
    assert states['checkpoint globals'] == 'not needed'
    assert states['tostring_rgb'] == 'with mmhot.plugin'
    gone = Shim('x', '', lambda: None, since=('no-such-thing', (1, 0)))
    assert _state(gone) == 'not needed'


@pytest.fixture
def found_bad(site, outcomes):
    """The command finds MMDetection broken."""
    assert atomic  # is there before the path is taken away
    outcomes['mmdet'] = 'ImportError: no'


def test_command_prints_tables_and_fails(found_bad, capsys):
    assert main(['doctor']) == 1
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.startswith('mmdet ')]
    words = ['mmdet', '3.2.0', '==3.2.0', '3.2.x', 'broken', 'ImportError:', 'no']
    assert row.split() == words
    for shim in SHIMS:
        assert f'\n{shim.name}' in out
    assert '\ndevice: cpu' in out
    assert out.rstrip().endswith('mmdet==3.2.0')


def test_quiet_command_prints_failures_only(found_bad, capsys):
    assert main(['doctor', '--quiet']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith('mmdet')
    assert lines[2] == ''
    assert 'shim' not in ' '.join(lines)


def test_command_writes_json(found_bad, capsys, tmp_path):
    file = tmp_path / 'doctor.json'
    assert main(['doctor', '--json', '--out', str(file)]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads(file.read_text())
    assert not content['ok']
    packages = {package['name']: package for package in content['packages']}
    assert packages['mmdet']['imported'] is False
    assert packages['mmdet']['command'] == content['commands'][-1]
    assert packages['mmpose'] == {
        'name': 'mmpose',
        'found': '1.3.2',
        'allowed': '==1.3.2',
        'tested': '1.3.x',
        'verdict': 'ok',
        'needed': True,
        'imported': True,
        'note': '',
        'command': None,
    }
    assert content['devices'] == ['cpu']
    assert [shim['name'] for shim in content['shims']] == [x.name for x in SHIMS]


def test_checkout_that_is_not_installed_is_one_line(site, outcomes, capsys):
    assert atomic  # is there before the path is taken away
    site.remove('mmhot')
    assert main(['doctor']) == 2
    line = 'mmhot doctor: error: mmhot is needed: pip install .\n'
    assert capsys.readouterr().err == line


def test_device_that_is_not_there_is_refused(found_bad, capsys):
    assert main(['doctor', '--device', 'cuda:3']) == 2
    assert "--device must be one of cpu, got 'cuda:3'" in capsys.readouterr().err


def test_requirements_of_pip_are_locked_ones():
    folder = Path(__file__).parents[2] / 'requirements'
    lines = (folder / 'lock.txt').read_text().splitlines()
    locked = {line.rstrip(' \\') for line in lines}
    wanted = set((folder / 'pip.txt').read_text().splitlines())
    assert wanted <= locked
    assert {'mmpose', 'torch'} <= {x.partition('=')[0] for x in wanted}
