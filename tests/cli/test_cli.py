"""The command line: light, and one clear line for what goes wrong."""

import errno
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from subprocess import PIPE
from types import ModuleType

import pytest
from paths import ROOT
from pose_sources import run_main

import mmhot
from mmhot.cli import dispatch, doctor
from mmhot.cli.dispatch import main
from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import report
from mmhot.errors import align, explain, install_extra
from mmhot.io.atomic import replacing


@pytest.fixture
def fake_command(monkeypatch):
    """Add ``mmhot try-it``, which does what the test wants."""
    module = ModuleType('mmhot.cli.try_it', 'Try something.\n\nAt length.')
    module.add_arguments = lambda parser: parser.add_argument('--formats')
    module.run = lambda args: None
    monkeypatch.setitem(sys.modules, 'mmhot.cli.try_it', module)
    monkeypatch.setattr(dispatch, 'COMMANDS', ('doctor', 'try-it'))
    return module


def run_code(code, run=subprocess.run, stdout=PIPE, stderr=PIPE, **options):
    """Run Python code in a new process."""
    options['env'] = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-c', code]
    return run(command, stdout=stdout, stderr=stderr, text=True, **options)


def test_version_and_help_of_every_command_load_nothing_heavy():
    code = """
import sys, mmhot
from mmhot.cli import main
from mmhot.cli.dispatch import build_parser
dir(mmhot)
try:
    main(['--version'])
except SystemExit:
    pass
heavy = {'torch', 'mmengine', 'mmcv', 'mmpose', 'cv2', 'matplotlib', 'av', 'yaml'}
heavy |= {'scipy.linalg', 'onnxruntime', 'pandas'}
print(*((heavy | {'numpy', 'scipy'}) & set(sys.modules)))
for command in build_parser()[1].values():
    command.format_help()
print(*(heavy & set(sys.modules)))
import mmhot.apis.lifting
print(*((heavy - {'onnxruntime'}) & set(sys.modules)))
"""
    done = run_code(code)
    assert done.returncode == 0, done.stderr
    output, *heavy = done.stdout.splitlines()
    assert output == f'mmhot {mmhot.__version__}'
    assert heavy == ['', '', '']


@pytest.mark.slow(reason='lifts a clip in a new process')
def test_lifting_with_onnx_runtime_imports_nothing_slow(tmp_path):
    clip = ROOT / 'demo/skating_2d_coco17.npz'
    code = f"""
import sys
from mmhot.cli.dispatch import main
options = ['--static-camera', '--backend', 'onnx', '--out-dir', 'out', '--quiet']
code = main(['lift', {str(clip)!r}, *options])
heavy = {{'torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'matplotlib'}}
heavy |= {{'av', 'cv2', 'yaml'}}
slow = 'interpolate', 'optimize', 'signal'
heavy |= {{'PIL.Image', *(f'scipy.{{name}}' for name in slow)}}
print(code, *(heavy & set(sys.modules)))
"""
    done = run_code(code, cwd=tmp_path)
    assert done.stdout.split()[-1:] == ['0'], done.stderr
    assert (tmp_path / 'out/skating_2d_coco17.npz').is_file()


@pytest.mark.parametrize('argv', [['help'], ['help', 'lift'], ['lift', '-V']])
def test_help_and_versions_by_their_other_names(argv, capsys):
    code = run_main(argv)
    start = f'mmhot {mmhot.__version__}' if '-V' in argv else 'usage: mmhot'
    assert code == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize('command', ['infer', 'lift', 'refine'])
def test_help_begins_with_files_results_time_and_people(command, capsys):
    with pytest.raises(SystemExit):
        main(['help', command])
    text = capsys.readouterr().out
    assert text.startswith(f'usage: mmhot {command} INPUT [INPUT ...] [OPTION ...]\n')
    titles = re.findall(r'^([a-zA-Z ,2D]+):$', text, re.M)
    assert titles[1:4] == ['positional arguments', 'results', 'time and people']
    assert titles[-1] == 'general'


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['try'], "mmhot: error: argument COMMAND: invalid choice: 'try'"),
        (['tri-it'], '(did you mean try-it?)'),
        (['try-it', '--format', 'png'], 'mmhot try-it: error: unrecognized arguments'),
        (['try-it', '--format', 'png'], '(did you mean --formats?)'),
        (['--versoin'], '(did you mean --version?)'),
    ],
)
def test_wrong_arguments_get_one_line(argv, message, fake_command, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count('\n') == 1


def test_choices_without_quotes_get_the_nearest_name(capsys):
    """Python 3.14 writes them so."""
    with pytest.raises(SystemExit):
        OneLineParser().error("invalid choice: 'tri-it' (choose from doctor, try-it)")
    assert '(did you mean try-it?)' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('--fps: got 0,\nwanted more'), '--fps: got 0, wanted more'),
        (
            OSError(errno.ENOSPC, 'No space left on device', 'out/a.npz'),
            'out/a.npz: No space left on device',
        ),
        (
            pickle.UnpicklingError('1\n2\nUnsupported global: GLOBAL os.system was'),
            'checkpoint refused: it holds os.system, and only tensors',
        ),
        (ValueError(), 'ValueError'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_user_errors_become_one_line(error, line, fake_command, capsys):
    def run(args):
        raise error

    fake_command.run = run
    assert main(['try-it']) == 2
    err = capsys.readouterr().err
    assert err.startswith(f'mmhot try-it: error: {line}')
    assert err.count('\n') == 1


def test_text_of_files_reaches_the_terminal_escaped(fake_command, capsys, caplog):
    hostile = 'a\x1b[31m\u202e\r\n\x9b\udcffb'
    shown = r'a\x1b[31m\u202e\r\n\x9b\udcffb'

    def run(args):
        args.say(hostile)
        # reports of pytest-xdist cannot hold a surrogate
        logging.getLogger('mmhot').warning('%s', hostile.replace('\udcff', '\x9c'))
        report(args, {'name': hostile}, lambda: ['1\n' + align([['name'], [hostile]])])
        raise ValueError(hostile)

    fake_command.run = run
    fake_command.add_arguments = doctor.add_arguments
    assert main(['try-it']) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [shown, '1', 'name', shown]
    assert [line.count('\\x1b[31m') for line in err.splitlines()] == [1, 1]
    assert err.isascii()
    assert out.isascii()


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (
            ModuleNotFoundError("No module named 'torch'", name='torch'),
            f'this needs torch: {install_extra("mmpose")}',
        ),
        (ImportError('numpy.dtype size changed'), 'run `mmhot doctor`'),
        (MemoryError(), 'this needs more memory than there is'),
        (RuntimeError("can't allocate memory: you tried"), 'more memory than there is'),
        (Exception('(-4:Insufficient memory) Failed'), 'more memory than there is'),
        (ValueError('`failed to load image: {c}.png`'), '{c}.png: missing, or cannot'),
        (AssertionError('a.json does not exist'), 'a.json does not exist'),
        (ImportError('run "pip install wandb"'), 'run "pip install wandb"'),
    ],
)
def test_the_machine_or_a_file_is_at_fault_in_one_line(error, line):
    assert line in explain(error)
    assert explain(RuntimeError('shapes differ')) is None


def test_a_reader_that_has_ended_ends_the_command():
    program = """
import sys
from mmhot.cli.errors import print_line, run_safely
def act():
    for _ in range(100000):
        print_line('line')
sys.exit(run_safely('mmhot list', act))
"""
    process = run_code(program, subprocess.Popen)
    assert process.stdout.readline() == 'line\n'
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (141, '')


def test_warnings_of_other_packages_are_ignored_unless_asked_for(
    fake_command, monkeypatch
):
    fake_command.run = lambda args: warnings.warn('of another package', stacklevel=1)
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    for given, shown in (([], 0), (['default'], 1)):
        monkeypatch.setattr(sys, 'warnoptions', given)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            assert main(['try-it']) == 0
        assert len(caught) == shown


FULL = 'error: the output cannot be written: No space left on device'


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='it is of Linux')
@pytest.mark.parametrize(
    ('stdout', 'stderr', 'code', 'left'),
    [
        ('/dev/full', 'err', 2, f'mmhot: a warning\nmmhot: {FULL}\n'),
        ('out', '/dev/full', 2, 'a line\nanother\n'),
        ('/dev/full', '/dev/full', 2, ''),
        ('out', 'err', 0, 'a line\nanother\nmmhot: a warning\n'),
    ],
)
def test_work_goes_on_where_output_cannot_be_written(
    tmp_path, stdout, stderr, code, left
):
    program = """
import logging, sys
from pathlib import Path
from mmhot.cli.errors import print_line, run_safely
def act():
    print_line('a line')
    logging.getLogger('mmhot.x').warning('a warning')
    Path('result').write_text('whole')
    print_line('another')
sys.exit(run_safely('mmhot', act))
"""
    with (tmp_path / stdout).open('w') as out, (tmp_path / stderr).open('w') as err:
        ran = run_code(program, stdout=out, stderr=err, cwd=tmp_path)
    assert (ran.returncode, (tmp_path / 'result').read_text()) == (code, 'whole')
    files = (tmp_path / name for name in ('out', 'err'))
    assert ''.join(file.read_text() for file in files if file.exists()) == left


@pytest.mark.skipif(os.name == 'nt', reason='signals are of POSIX')
def test_an_interrupt_while_commands_are_imported_is_a_line():
    code = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == 'mmhot.cli.dispatch':
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ['list']
from mmhot.cli import main
main()
"""
    done = run_code(code)
    assert (done.returncode, done.stderr) == (130, 'mmhot: interrupted\n')


@pytest.mark.skipif(os.name == 'nt', reason='signals are of POSIX')
@pytest.mark.parametrize(
    'number', [getattr(signal, x, x) for x in ('SIGTERM', 'SIGHUP', 'SIGINT')]
)
def test_no_signal_leaves_a_temporary_file(tmp_path, number, capsys):
    def act():
        with replacing(tmp_path / 'a.npz') as path:
            path.write_text('half')
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
    assert run_safely('mmhot', act) == 130
    assert capsys.readouterr().err == 'mmhot: interrupted\n'
    assert signal.signal(number, before) == signal.SIG_DFL
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    'argv',
    [['--device', 'cpu', '--quiet', 'try-it'], ['try-it', '--quiet', '--device=cpu']],
    ids=['before', 'after'],
)
def test_global_options_count_on_both_sides_of_the_command(argv, fake_command, capsys):
    seen = []

    def run(args):
        args.say('hidden')
        seen.append((args.device, args.quiet))

    fake_command.run = run
    assert main(argv) == 0
    assert seen == [('cpu', True)]
    assert capsys.readouterr().out == ''
    assert main(['try-it', '--device', 'auto']) == 0
    assert seen[1] == (None, False)
