"""Verdicts of ``mmhot doctor``: versions found, allowed and tested, imports, fixes.

What is needed are the requirements of mmhot and of its extra ``mmpose``, as their
metadata state them; what was tested are the locked versions of ``requirements/``.
"""

import importlib.util
import json
import platform
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import mmhot

from .imports import try_imports

_LOCKS = ('lock.txt', 'numpy1.txt')
# Distributions whose module has another name, `-` being `_`.
_MODULES = {
    'mmcv-lite': 'mmcv',
    'opencv-python-headless': 'cv2',
    'pillow': 'PIL',
    'pyyaml': 'yaml',
    'rerun-sdk': 'rerun',
}
# Distributions that bring the same module, and overwrite its files.
_SAME = {
    'mmcv-lite': ('mmcv',),
    'opencv-python-headless': (
        'opencv-python',
        'opencv-contrib-python',
        'opencv-contrib-python-headless',
    ),
}
_OPTIONAL = ('xtcocotools>=1.12', 'mediapipe==0.10.21', 'onnxruntime')
# pip cannot build, or must not downgrade, what these ask for.
_ALONE = ('mediapipe', 'mmpose', 'norfair', 'xtcocotools')
# That is why the extra leaves two of them out on Python 3.12 and later.
_PYTHON = {'python_version': '3.11', 'python_full_version': '3.11.0'}
# The last ones to be imported, and what is imported in place of the package itself.
_SLOW = ('torch', 'torchvision', 'mmdet', 'mmcv', 'norfair', 'mmpose', 'mmhot')
_PROBES = {'mmhot': 'mmhot.plugin', 'mmpose': 'mmpose.apis', 'mmcv': 'mmcv.ops'}
_PROBES['xtcocotools'] = 'xtcocotools._mask'  # which its stand-in does not have
_ANOTHER_NUMPY = ('numpy.dtype size changed', 'multiarray failed to import')


@dataclass(frozen=True)
class Finding:
    """State of one distribution.

    Args:
        name (str): Distribution, or ``python``.
        found (str): Installed version; empty if it is not installed.
        allowed (str): Versions that mmhot accepts; empty for all.
        tested (str): Release series that the tests ran with; empty for all.
        verdict (str): ``ok``, ``untested`` (allowed, of another release series),
            ``broken`` (not allowed, or its import fails), ``missing``, or ``optional``
            (not installed and not needed).
        note (str): Reason.
        needed (bool): Whether mmhot or its extra ``mmpose`` requires it.
        imported (bool, optional): Whether its import succeeded; None if not tried.
        clashing (tuple[str, ...]): Distributions that overwrite each other's files.
        hidden_by (str): File that Python imports in place of the distribution.
    """

    name: str
    found: str
    allowed: str = ''
    tested: str = ''
    verdict: str = 'ok'
    note: str = ''
    needed: bool = True
    imported: bool | None = None
    clashing: tuple[str, ...] = ()
    hidden_by: str = ''

    @property
    def fails(self) -> bool:
        """Whether something that mmhot needs does not work."""
        return self.needed and self.verdict in ('broken', 'missing')


def examine(seconds: float) -> tuple[list[Finding], list[str]]:
    """Judge Python, mmhot and every distribution that it uses.

    Args:
        seconds (float): Time limit of the imports; packages that are not reached are
            judged by their versions.

    Returns:
        tuple[list[Finding], list[str]]: Findings, and devices that models can run on.
    """
    stack = _requirements()
    modules = [_module(item.name) for item, needed in stack if needed]
    modules = ['xtcocotools', *(x for x in modules if x not in _SLOW), *_SLOW]
    probes = {module: _PROBES.get(module, module) for module in modules}
    outcomes, devices = try_imports([*probes.values()], seconds)
    errors = {k: outcomes[probe] for k, probe in probes.items() if probe in outcomes}
    tested = _tested_versions()
    findings = [_judge_python(), _judge_mmhot(errors.get('mmhot'))]
    findings += [
        _judge(item, needed, tested.get(item.name, []), errors.get(_module(item.name)))
        for item, needed in stack
    ]
    return findings, devices


def fix_commands(findings: Iterable[Finding]) -> list[str]:
    """Compose the commands that repair an installation.

    Failed imports are often due to packages that are missing or of a wrong version, so
    those are repaired first, and of failed imports the first one.

    Args:
        findings (Iterable[Finding]): Those to repair.

    Returns:
        list[str]: Shell commands, in order.
    """
    broken = [x for x in findings if x.verdict in ('missing', 'broken', 'optional')]
    broken = [x for x in broken if x.name not in ('python', 'mmhot')]
    hidden = [x for x in broken if x.hidden_by]
    unfit = [x for x in broken if x.imported is not False or x.clashing]
    failed = [x for x in broken if x not in (*hidden, *unfit)]
    if unfit or hidden:
        failed = []
    lost = [x for x in failed[:1] if 'No module named' in x.note]
    alone = [x for x in unfit if x.name in _ALONE]
    return [
        *(f'# remove {x.hidden_by}, which hides {x.name}' for x in hidden),
        *_pip('uninstall', [name for x in unfit for name in x.clashing]),
        *_pip('install', [_pin(x) for x in (*unfit, *lost) if x not in alone]),
        *_pip('install --no-deps', map(_pin, alone)),
        *_pip(
            'install --upgrade --force-reinstall --no-deps',
            [_pin(x) for x in failed[:1] if x not in lost],
        ),
    ]


def _pin(finding: Finding) -> str:
    return finding.name + finding.allowed


def _pip(action: str, names: Iterable[str]) -> list[str]:
    program = f'{shlex.quote(sys.executable)} -m pip {action}'
    if importlib.util.find_spec('pip') is None:  # uv made the environment
        program = f'uv pip {action} --python {shlex.quote(sys.executable)}'
    elif action == 'uninstall':
        program += ' --yes'
    names = shlex.join(names)
    return [f'{program} {names}'] if names else []


def _requirements() -> list[tuple[Requirement, bool]]:
    """List requirements, and whether mmhot or its extra ``mmpose`` has them."""
    wanted = [Requirement(text) for text in metadata.requires('mmhot') or ()]
    needed = [x for x in wanted if _applies(x, '') or _applies(x, 'mmpose')]
    optional = [x for x in wanted if 'extra' in str(x.marker) and x not in needed]
    optional += map(Requirement, _OPTIONAL)
    # MMPose asks for chumpy and never imports it.
    found = [(x, True) for x in needed if x.name != 'chumpy']
    return found + [(x, False) for x in optional]


def _applies(item: Requirement, extra: str) -> bool:
    return item.marker is None or item.marker.evaluate({'extra': extra, **_PYTHON})


def _tested_versions() -> dict[str, list[Version]]:
    """Read the locked versions for this Python and system."""
    versions = {}
    folder = Path(mmhot.__file__).parent / '.mim' / 'requirements'
    for path in filter(Path.exists, (folder / name for name in _LOCKS)):
        lines = path.read_text(encoding='utf-8').splitlines()
        for item in (Requirement(x.rstrip(' \\')) for x in lines if x[:1].isalnum()):
            marker = item.marker
            if marker is None or 'never' in str(marker) or marker.evaluate():
                version = Version(str(item.specifier).removeprefix('=='))
                versions.setdefault(item.name, []).append(version)
    return versions


def _judge_python() -> Finding:
    tested = sys.version_info[:2] <= (3, 13)
    found, verdict = platform.python_version(), 'ok' if tested else 'untested'
    return Finding('python', found, '>=3.11', '3.11 to 3.13', verdict, sys.executable)


def _judge_mmhot(error: str | None) -> Finding:
    folder = Path(mmhot.__file__).parent
    data = ('.mim/configs/_base_', '.mim/requirements', '.mim/model-index.yml')
    lost = [name for name in data if not (folder / name).exists()]
    note = f'lacks {", ".join(lost)}: install it again' if lost else error
    imported = None if error is None else not error
    return Finding(
        'mmhot',
        mmhot.__version__,
        verdict='broken' if note else 'ok',
        note=note or str(folder),
        imported=imported,
    )


def _judge(
    item: Requirement, needed: bool, tested: list[Version], error: str | None
) -> Finding:
    names = (item.name, *_SAME.get(item.name, ()))
    there = {name: version for name in names if (version := _version(name))}
    series = dict.fromkeys('.'.join(map(str, x.release[:2])) + '.x' for x in tested)
    finding = Finding(
        item.name,
        next(iter(there.values()), ''),
        str(item.specifier),
        ' or '.join(series),
        needed=needed,
    )
    if not there:
        verdict = 'missing' if needed else 'optional'
        return replace(finding, verdict=verdict, note=_remark(item.name, there))
    hidden_by = _hiding_file(_module(item.name), next(iter(there)))
    imported = None if error is None else not error
    finding = replace(finding, hidden_by=hidden_by, imported=imported)
    if note := _what_breaks(item, there, hidden_by, error):
        clashing = tuple(there) if len(there) > 1 else ()
        return replace(finding, verdict='broken', note=note, clashing=clashing)
    doubt = f'Python imports {hidden_by} instead' if hidden_by else ''
    if tested and Version(finding.found).release[:2] not in [
        x.release[:2] for x in tested
    ]:
        doubt = doubt or f'the tests ran with {finding.tested}'
    verdict = 'untested' if doubt else 'ok'
    return replace(finding, verdict=verdict, note=doubt or _remark(item.name, there))


def _what_breaks(
    item: Requirement, there: dict[str, str], hidden_by: str, error: str | None
) -> str:
    """Describe why a distribution does not work; empty if it does."""
    if len(set(there.values())) > 1:
        both = ' and '.join(f'{name} {version}' for name, version in there.items())
        return f'{both} overwrite each other'
    version = next(iter(there.values()))
    if not item.specifier.contains(version, prereleases=True):
        return f'mmhot needs {item.specifier}'
    if not error:
        return ''
    if item.name == 'xtcocotools':
        return f'does not import: {_remark(item.name, {})}'
    if hidden_by:
        return f'Python imports {hidden_by} instead: {error}'
    if any(sign in error for sign in _ANOTHER_NUMPY):
        return f'compiled for another NumPy than {_version("numpy")}: {error}'
    return error


def _remark(name: str, there: dict[str, str]) -> str:
    if name == 'xtcocotools':
        return f'{name if there else "pycocotools"} evaluates COCO results'
    if name == 'mmcv-lite' and there:
        from mmhot.compat.mmcv_operators import mmcv_kind

        return mmcv_kind()
    if there and name not in there:
        return f'it is {next(iter(there))}'
    return ''


def _module(name: str) -> str:
    return _MODULES.get(name, name.replace('-', '_'))


def _version(name: str) -> str:
    try:
        return metadata.version(name) or ''
    except metadata.PackageNotFoundError:
        return ''


def _hiding_file(module: str, name: str) -> str:
    """Name the file that is imported in place of a distribution; empty if none is."""
    found = metadata.distribution(name)
    direct = json.loads(found.read_text('direct_url.json') or '{}')
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or direct.get('dir_info', {}).get('editable'):
        return ''
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    place = Path(next(filter(None, places), found.locate_file('')))
    folder = Path(found.locate_file(''))
    is_own = folder in place.parents or folder.resolve() in place.resolve().parents
    return '' if is_own or place == folder else str(place)
