"""The commands that mend what was found, in the order in which they work."""

import importlib.metadata
import json
import shlex
import sys
from collections.abc import Iterable

from .findings import Finding
from .installed import OPENCVS, find_opencvs
from .requirements import PYTHON, read_requirements

_PIP = (sys.executable, '-m', 'pip')
# As tools/setup_env.py does: without a GPU in sight MMCV is compiled for the CPU, which
# needs no CUDA toolkit and is all that mmhot uses.
_FOR_MMCV = 'CUDA_VISIBLE_DEVICES= MMCV_WITH_OPS=1 '

# Of packages that ask for what breaks others, what they do need. The OpenCV that
# MediaPipe asks for overwrites the one that is there.
NEEDS = {'mediapipe': ('absl-py', 'attrs', 'flatbuffers', 'protobuf>=4.25.3,<5')}


def mending_commands(findings: Iterable[Finding]) -> list[str]:
    """Say what to type to get a working stack.

    Args:
        findings (Iterable[Finding]): What does not fail is left alone.

    Returns:
        list[str]: Shell commands, the first one first.
    """
    findings = list(findings)
    modules = {x.requirement.module for x in findings if x.requirement}
    failing = [x for x in findings if x.fails and x.blocked_by not in modules]
    if any(finding.name == 'python' for finding in failing):
        version = '.'.join(map(str, PYTHON))
        return [f'python{version} -m venv .venv  # then install mmhot there']
    commands = []
    files = [None, 'build', 'run', 'mm']
    if any(x.name == 'mmcv' and not x.hidden_by for x in failing):
        commands.append(_pip('', *map(str, read_requirements('build'))))
        files.remove('build')
    for file in files:
        own = [x for x in failing if _file(x) == file]
        for verdict in ('missing', 'broken'):
            same = [x for x in own if x.verdict == verdict and not x.blocked_by]
            commands += _installs(same)
        commands += [_pip('', x.blocked_by) for x in own if x.blocked_by]
    return list(dict.fromkeys(commands))


def mending_command(finding: Finding) -> str:
    """The command that brings one package as the tests had it; nothing if all is well.

    Args:
        finding (Finding): Where another package is at fault, that one has a command.
    """
    if finding.verdict == 'ok' or finding.blocked_by or finding.name == 'python':
        return ''
    return ' && '.join(_installs([finding]))


def _file(finding: Finding) -> str | None:
    return finding.requirement and finding.requirement.file


def _installs(findings: list[Finding]) -> list[str]:
    """Commands that install packages of one file and one verdict."""
    if not findings:
        return []
    first = findings[0]
    hidden = [x for x in findings if x.hidden_by]
    if hidden:
        others = [x for x in findings if not x.hidden_by]
        return [*map(_uncover, hidden), *_installs(others)]
    if first.requirement is None:
        return [_pip('--force-reinstall --no-deps', _source(first.name))]
    if first.name in NEEDS:
        pin = _pip('--no-deps', str(first.requirement))
        return [pin, _pip('', *NEEDS[first.name])]
    names = [finding.name for finding in findings]
    options = '--force-reinstall --no-deps' if first.verdict == 'broken' else ''
    commands, variables = [], ''
    if any(name in OPENCVS for name in names) and find_opencvs():
        # whichever is removed takes the others' files with it
        commands.append(shlex.join([*_PIP, 'uninstall', '-y', *find_opencvs()]))
    if _file(first) == 'mm':
        options = '--no-deps --no-build-isolation'
        if first.verdict == 'broken':
            options += ' --force-reinstall --no-cache-dir'  # what was compiled before
        variables = _FOR_MMCV if 'mmcv' in names else ''
    pins = [str(finding.requirement) for finding in findings]
    return [*commands, variables + _pip(options, *pins)]


def _uncover(finding: Finding) -> str:
    return f'# remove {finding.hidden_by}, which hides the installed {finding.name}'


def _source(name: str) -> str:
    """Where a package was installed from, as pip noted it."""
    try:
        note = importlib.metadata.distribution(name).read_text('direct_url.json')
    except importlib.metadata.PackageNotFoundError:
        note = None
    return json.loads(note or '{}').get('url', name)


def _pip(options: str, *pins: str) -> str:
    return shlex.join([*_PIP, 'install', *options.split(), *pins])
