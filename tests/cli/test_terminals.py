"""Outputs that are closed, full or of another encoding; broken packages."""

import subprocess
import sys

import pytest

from mmhot.cli.errors import Notices, OneLineParser, print_line, run_safely
from mmhot.errors import INSTALL_MMPOSE, explain, is_user_error

SAY = r"""
import sys
from mmhot.cli.errors import Notices, print_line, run_safely, usable_streams
def act():
    print_line('r\u00e9sum\u00e9 \udcff')
    say = Notices('mmhot lift')
    for _ in range(3):
        say('caf\u00e9 \x1b[31m\nnext')
    open(sys.argv[1], 'w').write('result')
    return 3
with usable_streams():
    code = run_safely('mmhot lift', act)
sys.exit(code)
"""
NOTE = '\n'.join(x for x in SAY.splitlines() if not x.startswith('    print_line'))


def shell(tmp_path, program, redirection):
    """Run a program with redirections; return exit code, stderr, and its result."""
    result = tmp_path / 'result.txt'
    command = [sys.executable, '-c', program, str(result)]
    done = subprocess.run(
        ['bash', '-c', f'set -o pipefail; "$@" {redirection}', 'bash', *command],
        capture_output=True,
    )
    content = result.read_text() if result.exists() else ''
    return done.returncode, done.stderr.decode(), content


@pytest.mark.skipif(sys.platform == 'win32', reason='needs a POSIX shell')
@pytest.mark.parametrize(
    ('redirection', 'said'),
    [
        ('>&-', ''),
        ('<&- >&- 2>&-', ''),
        ('>/dev/full', 'mmhot lift: nothing is printed: No space left on device\n'),
        ('>/dev/full 2>/dev/full', ''),
        ('| true', ''),
        ('>/dev/fd/1', ''),
    ],
)
def test_results_are_written_wherever_lines_go(tmp_path, redirection, said):
    assert shell(tmp_path, NOTE, redirection) == (3, said, 'result')


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /dev/full')
def test_command_that_prints_its_result_fails_without_a_traceback(tmp_path):
    code, errors, _ = shell(tmp_path, SAY, '>/dev/full')
    assert code == 2
    assert errors == 'mmhot lift: error: No space left on device\n'


def test_characters_that_the_encoding_lacks_are_escaped(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', SAY, str(tmp_path / 'result.txt')],
        capture_output=True,
        env={'PYTHONIOENCODING': 'ascii', 'PYTHONPATH': ':'.join(sys.path)},
    )
    assert done.returncode == 3, done.stderr
    note = 'caf\\xe9 \\x1b[31m\nnext\n'
    assert done.stdout.decode('ascii') == 'r\\xe9sum\\xe9 \\udcff\n' + 3 * note


def test_lines_for_the_user_are_printable(capsys):
    Notices('mmhot')('a\x1bb\nc')
    print_line('document')
    assert capsys.readouterr().out == 'a\\x1bb\nc\ndocument\n'
    with pytest.raises(SystemExit):
        OneLineParser(prog='mmhot').parse_args(['--\x1b' + 'x' * 10_000])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert len(line) < 1100


@pytest.mark.parametrize(
    'content',
    [
        'import package_that_is_missing',
        "raise ValueError('numpy.dtype size changed, may indicate incompatibility')",
        "raise AttributeError('_ARRAY_API not found')",
    ],
)
def test_missing_and_broken_packages_name_doctor(
    tmp_path, monkeypatch, content, capsys
):
    (tmp_path / 'package_of_this_test.py').write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)

    def act():
        import package_of_this_test  # noqa: F401

    assert run_safely('mmhot lift', act) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mmhot lift: error: ')
    assert line.endswith(
        'run `mmhot doctor`, which names what is missing or broken, and '
        'how to repair it'
    )


def test_a_missing_package_of_the_extra_names_it():
    missing = ModuleNotFoundError("No module named 'torch'", name='torch')
    assert explain(missing) == f'this needs torch: {INSTALL_MMPOSE}'


def test_missing_memory_is_no_fault_of_the_program():
    refused = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")
    for error in (MemoryError(), refused):
        assert is_user_error(error)
        assert explain(error) == 'this needs more memory than there is'
    assert not is_user_error(RuntimeError('shapes differ'))


def test_faults_of_the_program_are_raised(monkeypatch):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    with pytest.raises(AttributeError, match='no attribute'):
        run_safely('mmhot', lambda: None.attribute)
