"""The set-up of .venv: idempotent, resumable, and it mends what broke.

pip, venv and the environment's Python are played by a fake; nothing is downloaded.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tools'))

import setup_env  # noqa: E402  needs the path above
import setup_machine  # noqa: E402
from setup_env import Environment, SetupError  # noqa: E402

PACKAGES = {
    'packages': ['torch', 'setuptools'],
    'openmmlab': ['mmcv', 'mmpose'],
    'mmhot': ['mmhot'],
}


class FakePrograms:
    """Does to a folder what venv, pip and Python would do."""

    def __init__(self, root):
        self.folder = root / '.venv'
        self.site = self.folder / 'lib/python3.11/site-packages'
        self.calls = []
        self.fail_at = None
        self.problems = []

    def __call__(self, command, **kwargs):
        command = [str(part) for part in command]
        self.calls.append(' '.join(command[1:]))
        if '-c' in command:
            return self.answer(command[-1])
        if 'venv' in command:
            self.make_python()
        else:
            self.install(command)
        return subprocess.CompletedProcess(command, 0)

    def answer(self, code):
        if 'sys.prefix' in code:
            works = (self.folder / 'bin/python').exists() and self.info('pip').exists()
            said = f'{self.folder}\n3\n11\n' if works else ''
            return subprocess.CompletedProcess(code, 0, said, '')
        problem = self.problems.pop(0) if self.problems else ''
        return subprocess.CompletedProcess(code, bool(problem), '', problem)

    def make_python(self):
        (self.folder / 'bin').mkdir(parents=True, exist_ok=True)
        (self.folder / 'bin/python').symlink_to(sys.executable)
        if not self.info('pip').exists():
            self.add('pip')

    def install(self, command):
        step = next(
            step.name for step in setup_env.STEPS if command[-1] == step.arguments[-1]
        )
        if self.fail_at == step:
            self.fail_at = None
            (self.site / '~orch').mkdir()
            raise KeyboardInterrupt
        for name in PACKAGES[step]:
            if not self.info(name).exists():
                self.add(name)

    def info(self, name):
        return self.site / f'{name}-1.0.dist-info'

    def add(self, name):
        (self.site / name).mkdir(parents=True, exist_ok=True)
        (self.site / name / '__init__.py').write_text('pass\n')
        script = self.folder / 'bin' / f'run-{name}'
        script.write_text(f'#!{self.folder}/bin/python3.11\nprint(1)\n')
        self.info(name).mkdir()
        (self.info(name) / 'RECORD').write_text(
            f'{name}/__init__.py,sha256=x,5\n'
            f'../../../bin/run-{name},sha256=x,3\n'
            f'{name}/__pycache__/a.cpython-311.pyc,,\n'
            f'{name}-1.0.dist-info/RECORD,,\n'
        )

    def pip_calls(self):
        return [call for call in self.calls if '-m pip' in call]


class Checkout:
    def __init__(self, root):
        self.root = root
        self.said = []
        self.programs = FakePrograms(root)

    def make(self):
        self.said.clear()
        self.programs.calls.clear()
        environment = Environment(self.root, self.programs, self.said.append)
        return environment.make()


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / 'checkout'
    shutil.copytree(ROOT / 'requirements', root / 'requirements')
    for name in ('pyproject.toml', 'setup.py'):
        shutil.copy(ROOT / name, root / name)
    return Checkout(root)


def test_fresh_environment_is_announced_and_made(checkout):
    assert checkout.make()
    said = ' '.join(checkout.said)
    assert 'downloads about 3 GB' in said
    assert 'compiles MMCV' in said
    assert 'minutes' in said
    assert len(checkout.programs.pip_calls()) == 3


def test_second_call_changes_nothing(checkout):
    checkout.make()
    assert not checkout.make()
    assert checkout.said == []
    assert len(checkout.programs.calls) == 1


@pytest.mark.parametrize(
    ('changed', 'steps'),
    [
        ('requirements/dev.txt', ['dev.txt']),
        ('requirements/augment.txt', ['dev.txt']),
        ('requirements/mm.txt', ['mm.txt']),
        ('requirements/run.txt', ['dev.txt', 'mm.txt']),
        ('pyproject.toml', ['-e .']),
    ],
)
def test_changed_pins_run_their_steps_again(changed, steps, checkout):
    checkout.make()
    with open(checkout.root / changed, 'a') as file:
        file.write('\n# changed\n')
    assert checkout.make()
    calls = checkout.programs.pip_calls()
    assert [call.endswith(end) for call, end in zip(calls, steps, strict=True)]
    assert 'downloads' not in ' '.join(checkout.said)
    assert not checkout.make()


@pytest.mark.parametrize('step', list(PACKAGES))
def test_interrupted_installation_goes_on(step, checkout):
    checkout.programs.fail_at = step
    with pytest.raises(KeyboardInterrupt):
        checkout.make()
    assert checkout.make()
    assert not list(checkout.programs.site.glob('~*'))
    assert not checkout.make()


def delete_file(site):
    (site / 'torch/__init__.py').unlink()


def delete_package(site):
    shutil.rmtree(site / 'torch')


def cut_file(site):
    (site / 'torch/__init__.py').write_text('')


def forget_installation(site):
    shutil.rmtree(site / 'torch-1.0.dist-info')


def lose_record(site):
    (site / 'torch-1.0.dist-info/RECORD').unlink()


@pytest.mark.parametrize(
    'harm', [delete_file, delete_package, cut_file, forget_installation, lose_record]
)
def test_damaged_package_is_installed_again(harm, checkout):
    checkout.make()
    harm(checkout.programs.site)
    assert checkout.make()
    assert 'torch' in checkout.said[0]
    assert (checkout.programs.site / 'torch/__init__.py').read_text() == 'pass\n'
    assert not checkout.make()


def test_damage_in_a_half_made_environment_is_found(checkout):
    checkout.programs.fail_at = 'openmmlab'
    with pytest.raises(KeyboardInterrupt):
        checkout.make()
    delete_file(checkout.programs.site)
    assert checkout.make()
    assert (checkout.programs.site / 'torch/__init__.py').exists()


def test_broken_pip_is_made_anew(checkout):
    checkout.make()
    shutil.rmtree(checkout.programs.site / 'pip')
    assert checkout.make()
    assert any('-m venv' in call for call in checkout.programs.calls)
    assert not checkout.make()


def test_dangling_python_is_made_anew(checkout):
    checkout.make()
    python = checkout.programs.folder / 'bin/python'
    python.unlink()
    python.symlink_to('/no/such/python3.11')
    assert checkout.make()
    assert python.resolve() == Path(sys.executable).resolve()
    assert checkout.programs.pip_calls() == []
    assert not checkout.make()


def test_moved_checkout_gets_its_scripts_mended(checkout):
    checkout.make()
    moved = Checkout(checkout.root.rename(checkout.root.with_name('moved away')))
    assert moved.make()
    assert [call.endswith('-e .') for call in moved.programs.pip_calls()] == [True]
    script = (moved.root / '.venv/bin/run-torch').read_text()
    assert str(moved.root / '.venv/bin/python') in script
    assert not moved.make()


def test_broken_stamp_is_made_anew(checkout):
    checkout.make()
    (checkout.root / '.venv/mmhot-stamp.json').write_text('{"steps"')
    assert checkout.make()
    json.loads((checkout.root / '.venv/mmhot-stamp.json').read_text())


def test_mmcv_of_another_pytorch_is_compiled_again(checkout):
    checkout.programs.problems = ['ImportError: mmcv/_ext.so: undefined symbol: x']
    assert checkout.make()
    assert '--no-cache-dir' in checkout.programs.pip_calls()[-1]
    assert 'compiling it again' in checkout.said[-1]


def test_environment_that_does_not_work_is_reported(checkout):
    checkout.programs.problems = ['Traceback\nImportError: libavcodec'] * 2
    with pytest.raises(SetupError, match='does not work: ImportError: libavcodec'):
        checkout.make()
    assert not (checkout.root / '.venv/mmhot-stamp.json').exists()


def test_failing_pip_is_reported(checkout, monkeypatch):
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(checkout.programs, 'install', lambda command: 1 / 0)
    checkout.programs.make_python()
    environment = Environment(checkout.root, lambda *args, **kwargs: failed)
    with pytest.raises(SetupError, match=r'installing packages failed \(exit code 1'):
        environment._pip(setup_env.STEPS[0])


def lack_compiler(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)


def lack_headers(monkeypatch):
    monkeypatch.setattr(
        setup_machine.sysconfig, 'get_paths', lambda: {'include': '/nowhere'}
    )


def lack_python(monkeypatch):
    monkeypatch.setattr(setup_machine.sys, 'version_info', (3, 12, 1))


def lack_venv(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ensurepip', None)


def lack_space(monkeypatch):
    usage = shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)


@pytest.mark.parametrize(
    ('lack', 'message'),
    [
        (lack_compiler, 'C.. compiler is needed'),
        (lack_headers, "Python's headers are needed"),
        (lack_python, 'Python 3.11 is needed, and this is 3.12.1'),
        (lack_venv, 'venv module is incomplete'),
        (lack_space, '9 GB of disk space are needed .* only 1.0 GB'),
    ],
)
def test_what_the_machine_lacks_is_named_first(lack, message, checkout, monkeypatch):
    lack(monkeypatch)
    with pytest.raises(SetupError, match=message) as caught:
        checkout.make()
    assert '\n' not in str(caught.value)
    assert checkout.programs.pip_calls() == []


def test_the_packages_of_this_environment_are_undamaged():
    import pluggy

    (info,) = Path(pluggy.__file__).parents[1].glob('pluggy-*.dist-info')
    assert setup_env.package_name(info) == 'pluggy'
    assert setup_env.damage(info) == ''


@pytest.mark.parametrize('folder', ['plain', 'with space', 'long' * 40])
def test_scripts_start_their_python(folder, tmp_path):
    (tmp_path / folder).mkdir()
    python = tmp_path / folder / 'python'
    python.symlink_to(sys.executable)
    script = tmp_path / 'script'
    script.write_bytes(setup_env.shebang(python) + b'print("ran")\n')
    script.chmod(0o755)
    assert subprocess.run([script], capture_output=True).stdout == b'ran\n'
    mended = setup_env._SHEBANG.sub(b'', script.read_bytes())
    assert mended == b'print("ran")\n'


def test_pip_is_shielded_from_the_callers_variables(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/somewhere')
    monkeypatch.setenv('MAX_JOBS', '64')
    variables = setup_env.clean_variables()
    assert 'PYTHONPATH' not in variables
    assert int(variables['MAX_JOBS']) <= (os.cpu_count() or 1)
    assert variables['CUDA_VISIBLE_DEVICES'] == ''


def test_every_pin_has_one_place():
    pinned = {}
    for file in (ROOT / 'requirements').glob('*.txt'):
        for line in file.read_text().splitlines():
            name, exact, _ = line.partition('==')
            if exact:
                assert pinned.setdefault(name, file) == file, name
    assert 'mmcv' in pinned
