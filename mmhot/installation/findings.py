"""A verdict on every package of the stack."""

import platform
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mmhot

from .import_probe import Failure, ImportProbe
from .installed import (
    OPENCVS,
    Installed,
    find_devices,
    find_installed,
    find_opencvs,
)
from .requirements import PYTHON, Requirement, read_requirements

# What takes long, in an order in which each has what it imports; all else is fast.
_SLOW = ('torch', 'mmcv', 'mmpose', 'mmcv.ops', 'torchvision', 'mmdet')
_SLOWEST = ('mmpose.apis',)
_FIRST_STEPS = ('torchvision', 'mmcv', 'mmdet', 'mmpose')
_COMPILED = {'xtcocotools': 'xtcocotools.mask', 'pycocotools': 'pycocotools.mask'}


@dataclass(frozen=True)
class Finding:
    """What is known about one package.

    Args:
        name (str): Distribution, or ``python`` or ``mmhot``.
        found (str): Installed version; nothing if it is not installed.
        tested (str): Versions that the tests ran with.
        verdict (str): ``ok``, ``untested``, ``broken``, ``missing`` or ``optional``
            (not installed and not needed).
        note (str): Why.
        needed (bool): Whether mmhot does without.
        imported (bool, optional): Whether it could be imported; None if there was no
            time to try.
        requirement (Requirement, optional): What would be right.
        blocked_by (str): Other module that its import fails for.
        hidden_by (str): File that is imported in place of what is installed.
    """

    name: str
    found: str
    tested: str
    verdict: str
    note: str = ''
    needed: bool = True
    imported: bool | None = None
    requirement: Requirement | None = None
    blocked_by: str = ''
    hidden_by: str = ''

    @property
    def fails(self) -> bool:
        """Whether something that mmhot needs does not work."""
        return self.needed and self.verdict in ('broken', 'missing')

    @property
    def is_unproven(self) -> bool:
        """Whether it was judged by its files, for lack of time to import it."""
        return (
            self.needed
            and self.imported is None
            and self.requirement is not None
            and self.verdict in ('ok', 'untested')
        )


def examine(
    seconds: float = 2.4,
    probe: Callable[[Sequence[str], int], ImportProbe] = ImportProbe,
) -> tuple[list[Finding], list[str]]:
    """Look at all packages and try to import them.

    Args:
        seconds (float): Time for imports. Those of all packages take longer than that
            on most machines; what is not reached is judged by its files.
        probe (Callable): Makes what imports modules.

    Returns:
        tuple[list[Finding], list[str]]: What was found, in the order in which it has
        to be installed, and the devices that models can run on, the best last.
    """
    deadline = time.monotonic() + seconds
    findings = [_examine_python(), _examine_mmhot()]
    try:
        stack = _stack()
    except OSError:
        return findings, find_devices()
    slow = [*_SLOW, *(_SLOWEST if seconds > 10 else ())]
    needed = [item.module for item in stack if item.file != 'optional']
    fast = [_COMPILED.get(name, name) for name in needed if name not in slow]
    # what tells most goes first, if the processor is busy
    probes = [
        probe([*(f'start {module}' for module in _FIRST_STEPS), 'link mmcv._ext'], 0),
        probe([f'import {module}' for module in fast], 5),
        probe([f'import {module}' for module in slow], 10),
    ]
    installed = {item.name: find_installed(item.name, item.module) for item in stack}
    outcomes, devices = {}, []
    for running in probes:
        results, seen = running.results(deadline)
        outcomes.update(results)
        devices += seen
    planned = [f'import {module}' for module in (*slow, *fast)]
    for item in stack:
        outcome = _outcome(item, planned, outcomes, set(needed))
        findings.append(_judge(item, installed[item.name], outcome))
    return findings, devices or find_devices()


def _stack() -> list[Requirement]:
    build = [item for item in read_requirements('build') if item.name == 'setuptools']
    files = ('run', 'mm', 'optional')
    return build + [item for file in files for item in read_requirements(file)]


def _examine_python() -> Finding:
    wanted = '.'.join(map(str, PYTHON))
    found = platform.python_version()
    if sys.version_info[:2] == PYTHON:
        return Finding('python', found, f'{wanted}.x', 'ok', sys.executable)
    note = f'mmhot needs Python {wanted}: {sys.executable} is another'
    return Finding('python', found, f'{wanted}.x', 'broken', note)


def _examine_mmhot() -> Finding:
    folder = Path(mmhot.__file__).parent
    data = ['.mim/configs/_base_', '.mim/requirements', '.mim/model-index.yml']
    missing = [name for name in data if not (folder / name).exists()]
    if not list(folder.glob('weights/*.pth')):
        missing.append('weights')
    if not missing:
        return Finding('mmhot', mmhot.__version__, 'any', 'ok', str(folder))
    note = f'{folder} lacks {", ".join(missing)}: install it again'
    return Finding('mmhot', mmhot.__version__, 'any', 'broken', note)


@dataclass(frozen=True)
class _Outcome:
    """Of the attempts to import one package.

    Args:
        imported (bool, optional): Whether it was imported; None if it was not tried.
        failure (Failure, optional): The first one.
        module (str): What failed.
        blocked_by (str): Other module at fault.
    """

    imported: bool | None = None
    failure: Failure | None = None
    module: str = ''
    blocked_by: str = ''


def _outcome(
    item: Requirement,
    planned: Sequence[str],
    outcomes: Mapping[str, Failure | None],
    known: Collection[str],
) -> _Outcome:
    for attempt, failure in outcomes.items():
        module = attempt.split()[1]
        if failure is not None and module.partition('.')[0] == item.module:
            other = failure.culprit if failure.culprit != item.module else ''
            if other not in known and not failure.reason.startswith('ModuleNotFound'):
                other = ''
            return _Outcome(False, failure, module, other)
    own = [x for x in planned if x.split()[1].partition('.')[0] == item.module]
    return _Outcome(True if own and all(x in outcomes for x in own) else None)


def _judge(item: Requirement, found: Installed | None, outcome: _Outcome) -> Finding:
    needed = item.file != 'optional'
    if found is None:
        verdict = 'missing' if needed else 'optional'
        note = '' if needed else 'not installed'
        return Finding(item.name, '', item.tested, verdict, note, needed, None, item)
    broken = _what_breaks(item, found, outcome)
    doubtful = _what_is_doubtful(item, found)
    verdict = 'broken' if broken else 'untested' if doubtful else 'ok'
    remark = f'it is {found.name}' if found.name != item.name else ''
    return Finding(
        item.name,
        found.version or 'unknown',
        item.tested,
        verdict,
        broken or doubtful or remark,
        needed,
        outcome.imported,
        item,
        '' if found.damage else outcome.blocked_by,
        found.hidden_by,
    )


def _what_breaks(item: Requirement, found: Installed, outcome: _Outcome) -> str:
    """Say why a package does not work; nothing if nobody knows that it does not."""
    opencvs = find_opencvs() if item.name in OPENCVS else {}
    if len(set(opencvs.values())) > 1:
        return f'{" and ".join(opencvs)} of different versions overwrite each other'
    known = found.damage or item.objection(found.version)
    if known or outcome.failure is None:
        return known
    what = f'{outcome.module}: ' if '.' in outcome.module else ''
    cause = f'needs {outcome.blocked_by}: ' if outcome.blocked_by else ''
    if found.hidden_by:
        cause = f'Python imports {found.hidden_by} instead: '
    return f'{cause}{what}{outcome.failure.reason}'


def _what_is_doubtful(item: Requirement, found: Installed) -> str:
    """Say why nobody knows whether a package works; nothing if it was tested."""
    if found.hidden_by:
        return f'Python imports {found.hidden_by} instead'
    if not found.version:
        return 'a module without a version'
    if not item.is_tested(found.version):
        return f'the tests ran with {item.tested}'
    opencvs = find_opencvs() if item.name in OPENCVS else {}
    if len(opencvs) > 1:
        return f'{" and ".join(opencvs)} overwrite each other'
    return ''
