"""Run ``mmhot`` on hostile inputs, each case in a process with limits, and count.

Example::

    python -m tools.lab.hostile --out outputs/hostile.json

Most cases are forks of one process that has imported all packages; those of terminals
and Ray are started by a shell, and those of the page are requests to one server, if
Gradio is installed. The exit code is 1 if any case is neither handled nor ok.
"""

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.errors import escape, one_line
from mmhot.io.atomic import replacing
from mmhot.io.lifted import read_lifted
from tools.lab.hostile import files
from tools.lab.hostile.cases import LIFTED, REFUSED, Case, all_cases
from tools.lab.hostile.page import all_visits, open_page
from tools.lab.hostile.streams import served

OUTCOMES = ('handled', 'ok', 'crash', 'hang', 'memory', 'silent wrong')
_ROOT = Path(__file__).parents[3]
# Address space beyond that of the imported packages, and the largest resident memory.
_MORE_MEMORY, _MAX_MEMORY = 4 << 30, 3 << 30
_BROKEN = "raise ValueError('numpy.dtype size changed, may indicate incompatibility')\n"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(prog='hostile', description=__doc__.splitlines()[0])
    parser.add_argument('--only', default='', help='run cases with this in their names')
    parser.add_argument(
        '--timeout', type=float, default=120, help='seconds of a case (default: 120)'
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON of all cases')
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Run the cases and print their outcomes."""
    _import_all()
    begin, rows = time.monotonic(), []
    for case in all_cases():
        if args.only not in f'{case.group}: {case.name}':
            continue
        with tempfile.TemporaryDirectory(prefix='mmhot-hostile-') as folder:
            rows.append(_run_case(case, Path(folder), args.timeout))
    if find_spec('gradio') and args.only in 'page: ':
        rows += _visit_page()
    for row in rows:
        if row['outcome'] not in OUTCOMES[:2]:
            print_line(
                f'{row["outcome"]}: {row["group"]}, {row["name"]}: {row["said"]}'
            )
    counts = Counter((row['group'], row['outcome']) for row in rows)
    groups = list(dict.fromkeys(row['group'] for row in rows))
    lines = [
        [group, *(str(counts[group, outcome]) for outcome in OUTCOMES)]
        for group in groups
    ]
    totals = Counter(row['outcome'] for row in rows)
    total = [f'all {len(rows)}', *(str(totals[outcome]) for outcome in OUTCOMES)]
    print_line(align([['', *OUTCOMES], *lines, total]))
    seconds = time.monotonic() - begin
    most = max(row['megabytes'] for row in rows)
    print_line(f'{seconds:.0f} s, at most {most} MB')
    if args.out is not None:
        with replacing(args.out) as temporary:
            temporary.write_text(json.dumps(rows, indent=1), encoding='utf-8')
    return int(any(totals[outcome] for outcome in OUTCOMES[2:]))


def _import_all() -> None:
    """Import what the commands import, once for all forks."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ['OPENCV_LOG_LEVEL'] = 'OFF'
    import mmhot.apis.clip_worker
    import mmhot.lifting.torch_network
    import mmhot.plugin
    import mmhot.video.sources.mmpose_models
    import mmhot.visualization.html
    import mmhot.visualization.summary_image
    import mmhot.visualization.video  # noqa: F401


def _run_case(case: Case, folder: Path, timeout: float) -> dict:
    """Write the files of a case, run it and judge the outcome."""
    files.npz(folder / 'good.npz')
    files.image(folder / 'good.png')
    if case.make is not None:
        # in a fork: a process starts with the largest memory of the one it is forked of
        made, _, _ = _wait(_fork(lambda: _make_file(case, folder)), timeout)
        if made:
            raise RuntimeError(f'{case.name}: the file could not be written')
    with served(case.serve) if case.serve else nullcontext(case.file) as source:
        arguments = [source if text == 'INPUT' else text for text in case.arguments]
        if case.shell:
            process = _start_shell(case, arguments, folder)
        else:
            process = _fork(lambda: _run_command(arguments, folder))
        code, memory, seconds = _wait(process, timeout)
    errors = (folder / 'stderr').read_text('utf-8', 'replace')
    outcome, reason = _judge(case, folder, code, memory, errors)
    return {
        'group': case.group,
        'name': escape(case.name),
        'outcome': outcome,
        'code': code,
        'said': reason or one_line(errors),
        'megabytes': memory >> 20,
        'seconds': round(seconds, 1),
    }


def _visit_page() -> Iterator[dict]:
    """Send the requests of hostile visitors to the page of ``mmhot ui``."""
    with open_page() as page:
        for name, check in all_visits().items():
            begin = time.monotonic()
            try:
                said = check(page)
            except (OSError, HTTPException) as error:
                said = f'{type(error).__name__}: {error}'
            memory = page.memory()
            outcome = 'silent wrong' if said else 'handled'
            yield {
                'group': 'page',
                'name': escape(name),
                'outcome': 'memory' if memory > _MAX_MEMORY else outcome,
                'code': page.process.poll(),
                'said': one_line(said),
                'megabytes': memory >> 20,
                'seconds': round(time.monotonic() - begin, 1),
            }


def _make_file(case: Case, folder: Path) -> None:
    case.make(folder / case.file)


def _fork(action: Callable[[], int | None]) -> int:
    """Run an action in a fork, whose exit code it returns; return its process ID."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        code = action() or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_command(arguments: list[str], folder: Path) -> int:
    """Run ``mmhot`` in this process with limited memory."""
    os.chdir(folder)
    for number, name in enumerate(('/dev/null', 'stdout', 'stderr')):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + _MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    from mmhot.cli.dispatch import main

    return main(arguments)


def _start_shell(case: Case, arguments: list[str], folder: Path) -> int:
    """Run the command in a shell with redirections; return its process ID."""
    paths = [str(_ROOT)]
    if blocked := case.environment.get('BLOCKED'):
        kind, _, module = blocked.partition('-')
        paths.insert(0, str(folder / 'blocked'))
        package = folder / 'blocked' / module
        package.mkdir(parents=True)
        missing = f'raise ModuleNotFoundError("No module named \'{module}\'")\n'
        (package / '__init__.py').write_text(missing if kind == 'missing' else _BROKEN)
    command = shlex.join([sys.executable, '-m', 'mmhot', *arguments])
    script = f'exec 2>stderr; set -o pipefail; {command} {case.shell}'
    variables = {**os.environ, **case.environment, 'PYTHONPATH': ':'.join(paths)}
    return subprocess.Popen(
        ['bash', '-c', script],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ).pid


def _wait(process: int, timeout: float) -> tuple[int | None, int, float]:
    """Return exit code (None after the timeout), largest memory and seconds."""
    begin = time.monotonic()
    while time.monotonic() - begin < timeout:
        done, status, usage = os.wait4(process, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code, usage.ru_maxrss << 10, time.monotonic() - begin
        time.sleep(0.01)
    if os.getpgid(process) == process:
        os.killpg(process, signal.SIGKILL)
    else:
        os.kill(process, signal.SIGKILL)
    usage = os.wait4(process, 0)[2]
    return None, usage.ru_maxrss << 10, timeout


def _judge(
    case: Case, folder: Path, code: int | None, memory: int, errors: str
) -> tuple[str, str]:
    """Return the outcome, and a reason that stderr does not state."""
    if code is None:
        return 'hang', ''
    if memory > _MAX_MEMORY or 'more memory than there is' in errors:
        return 'memory', f'{memory >> 20} MB: {one_line(errors)}'
    if (folder / 'executed').exists():
        return 'silent wrong', 'code of the input was executed'
    left = [path.name for path in (folder / 'out').rglob('.mmhot-*') if path.is_file()]
    if left:
        return 'silent wrong', f'left behind {left}'
    if code == 0:
        return _judge_results(case, folder)
    if case.expected == LIFTED:
        return 'crash', f'exit code {code}: {one_line(errors)}'
    if '2>' in case.shell:
        return 'handled', ''
    return _judge_message(code, errors)


def _judge_message(code: int, errors: str) -> tuple[str, str]:
    """Judge a failed run: printable lines, the last one with the reason."""
    lines = errors.splitlines()
    if (
        code not in (1, 2, 130, 141)
        or 'Traceback' in errors
        or 'debug' in errors.lower()
    ):
        return 'crash', f'exit code {code}: {one_line(errors)}'
    if code == 141:
        return 'handled', ''
    if not lines or not lines[-1].startswith('mmhot') or len(lines) > 4:
        return 'crash', f'no single line: {one_line(errors)}'
    if any(escape(line) != line for line in errors.rstrip('\n').split('\n')):
        return 'crash', f'unprintable characters: {one_line(errors)}'
    return 'handled', ''


def _judge_results(case: Case, folder: Path) -> tuple[str, str]:
    """Judge a run that succeeded: whether it should have, and its results."""
    if case.expected == REFUSED:
        return 'silent wrong', 'exit code 0'
    results = [*(folder / 'out').glob('*.npz'), *(folder / 'out').glob('*.json')]
    if case.expected == LIFTED and case.arguments[0] == 'lift':
        wanted = case.arguments[case.arguments.index('--formats') + 1].split(',')
        names = [path.name for path in (folder / 'out').iterdir()]
        lost = [w for w in wanted if not any(n.endswith(f'.{w}') for n in names)]
        if lost:
            return 'silent wrong', f'no {", ".join(lost)}'
    for path in results:
        clip = read_lifted(path)
        if not np.isfinite(clip.keypoints_3d).all():
            return 'silent wrong', f'{path.name} has NaN'
    big = [p.name for p in folder.rglob('out/*') if p.stat().st_size > 100 << 20]
    return ('silent wrong', f'{big} have over 100 MB') if big else ('ok', '')


def main() -> int:
    """Run."""
    args = parse_args()
    return run_safely('hostile', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
