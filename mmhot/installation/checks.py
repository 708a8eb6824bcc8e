"""Verdicts of ``mmhot doctor``: versions found, allowed and tested, imports, repairs.

What is needed are the requirements of mmhot and, if PyTorch or a package of OpenMMLab
is installed, those of its extra ``mmpose``, as their metadata state them; what was
tested are the locked versions of ``requirements/``.
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
from mmhot.compat.import_hooks import mmcv_kind
from mmhot.installation import try_imports

_LOCKS = ('lock.txt', 'numpy1.txt')
_DATA = ('.mim/configs/_base_', '.mim/requirements', '.mim/model-index.yml')
# Distributions whose module has another name, `-` being `_`.
_MODULES = {
    'mmcv-lite': 'mmcv',
    'opencv-python-headless': 'cv2',
    'pillow': 'PIL',
    'pyyaml': 'yaml',
    'rerun-sdk': 'rerun',
}
# Distributions that bring the same module, and overwrite its files.
_OPENCV = ('opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
_SAME = {'mmcv-lite': ('mmcv',), 'opencv-python-headless': _OPENCV}
_OPTIONAL = ('xtcocotools>=1.12', 'mediapipe>=0.10.21')
# pip cannot build, or would downgrade NumPy for, what these ask for.
_ALONE = ('mediapipe', 'mmpose', 'xtcocotools')
# That is why the extra has one of them with a marker that holds for no Python.
_PYTHON = {'python_version': '3.9', 'python_full_version': '3.9.0'}
# The last ones to be imported, and what is imported in place of the package itself.
_SLOW = ('torch', 'torchvision', 'mmdet', 'mmcv', 'mmpose', 'mmhot')
_PROBES = {
    'mmcv': 'mmcv.ops',
    'mmhot': 'mmhot.plugin',
    'mmpose': 'mmpose.apis',
    'pycocotools': 'pycocotools.mask',
    'xtcocotools': 'xtcocotools._mask',  # which its stand-in does not have
}
_RUNTIME_PROBE = 'mmhot.apis.lifting'  # without the extra
# Any of them shows that the extra is wanted.
_SIGNS = ('torch', 'mmengine', 'mmdet', 'mmpose')
_ANOTHER_NUMPY = ('numpy.dtype size changed', 'multiarray failed to import')
_INSTALL, _INSTALL_ALONE = 'install', 'install --no-deps'
_REINSTALL = 'install --upgrade --force-reinstall --no-deps'


@dataclass(frozen=True)
class PackageStatus:
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
        imported (bool, optional): Whether its import succeeded; None if it was not
            tried, or is of a version that is not allowed.
        repair (str): Action of pip that repairs it; empty if there is none.
        clashing (tuple[str, ...]): Distributions to remove before.
    """

    name: str
    found: str
    allowed: str = ''
    tested: str = ''
    verdict: str = 'ok'
    note: str = ''
    needed: bool = True
    imported: bool | None = None
    repair: str = ''
    clashing: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether something that mmhot needs does not work."""
        return self.needed and self.verdict in ('broken', 'missing')


def examine(seconds: float) -> tuple[list[PackageStatus], list[str]]:
    """Judge Python, mmhot and every distribution that it uses.

    Args:
        seconds (float): Time limit of the imports; packages that are not reached are
            judged by their versions.

    Returns:
        tuple[list[PackageStatus], list[str]]: Statuses, and devices for models.
    """
    wanted = [Requirement(text) for text in metadata.requires('mmhot') or ()]
    slow, extras = (_SLOW, ('', 'mmpose')) if has_extra() else (('mmhot',), ('',))
    needed = [x for x in wanted if any(_applies(x, extra) for extra in extras)]
    optional = [x for x in wanted if 'extra' in str(x.marker) and x not in needed]
    optional += map(Requirement, _OPTIONAL)
    fast = ['xtcocotools', *(x for x in map(_module, needed) if x not in _SLOW)]
    probes = {module: _PROBES.get(module, module) for module in (*fast, *slow)}
    probes['mmhot'] = _PROBES['mmhot'] if has_extra() else _RUNTIME_PROBE
    outcomes, devices = try_imports([*probes.values()], seconds)
    errors = {k: outcomes[probe] for k, probe in probes.items() if probe in outcomes}
    tested = _tested_versions()
    statuses = [_judge_python(), _judge_mmhot(errors.get('mmhot'))]
    for item in (*needed, *optional):
        status = _judge(item, tested.get(item.name, []), errors.get(_module(item)))
        if item in optional:
            verdict = status.verdict.replace('missing', 'optional')
            status = replace(status, needed=False, verdict=verdict)
        statuses.append(status)
    return statuses, devices


def has_extra() -> bool:
    """Return whether the extra ``mmpose`` is installed, perhaps in part."""
    return any(_version(name) for name in _SIGNS)


def repair_commands(statuses: Iterable[PackageStatus]) -> list[str]:
    """Compose the shell commands that repair an installation, in order.

    Imports often fail because of other packages, which are missing or of a wrong
    version: those are repaired first, and of failed imports the first one.

    Args:
        statuses (Iterable[PackageStatus]): Those to repair.
    """
    broken = [x for x in statuses if x.repair]
    broken = [x for x in broken if x.imported is None] or broken[:1]
    steps = [('uninstall -y', [name for x in broken for name in x.clashing])]
    for action in (_INSTALL, _INSTALL_ALONE, _REINSTALL):
        same = [x.name + x.allowed for x in broken if x.repair == action]
        steps.append((action, same))
    program, options = f'{shlex.quote(sys.executable)} -m pip', ''
    if importlib.util.find_spec('pip') is None:  # uv made the environment
        program, options = 'uv pip', f' --python {shlex.quote(sys.executable)}'
    return [
        f'{program} {action}{options} {shlex.join(names)}'
        for action, names in steps
        if names
    ]


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


def _judge_python() -> PackageStatus:
    verdict = 'ok' if sys.version_info[:2] <= (3, 13) else 'untested'
    found = platform.python_version()
    return PackageStatus(
        'python', found, '>=3.10', '3.10 to 3.13', verdict, sys.executable
    )


def _judge_mmhot(error: str | None) -> PackageStatus:
    folder = Path(mmhot.__file__).parent
    lost = [name for name in _DATA if not (folder / name).exists()]
    note = f'{folder} lacks {", ".join(lost)}: install it again' if lost else error
    return PackageStatus(
        'mmhot',
        mmhot.__version__,
        verdict='broken' if note else 'ok',
        note=note or str(folder),
        imported=None if error is None else not error,
    )


def _judge(
    item: Requirement, tested: list[Version], error: str | None
) -> PackageStatus:
    names = (item.name, *_SAME.get(item.name, ()))
    there = {name: version for name in names if (version := _version(name))}
    found = next(iter(there.values()), '')
    series = dict.fromkeys('.'.join(map(str, x.release[:2])) + '.x' for x in tested)
    status = PackageStatus(item.name, found, str(item.specifier), ' or '.join(series))
    install = _INSTALL_ALONE if item.name in _ALONE else _INSTALL
    remark = _remark(item.name, there)
    if not there:
        return replace(status, verdict='missing', note=remark, repair=install)
    if len(set(there.values())) > 1:
        both = ' and '.join(f'{name} {version}' for name, version in there.items())
        note, clashing = f'{both} overwrite each other', tuple(there)
    elif not item.specifier.contains(found, prereleases=True):
        note, clashing = f'mmhot needs {item.specifier}', ()
    else:
        return _judge_import(status, tested, error, remark)
    broken = replace(status, verdict='broken', note=note)
    return replace(broken, repair=install, clashing=clashing)


def _judge_import(
    status: PackageStatus, tested: list[Version], error: str | None, remark: str
) -> PackageStatus:
    """Judge a distribution of an allowed version."""
    status = replace(status, imported=None if error is None else not error)
    hidden_by = _hiding_file(status.name)
    hint = f'Python imports {hidden_by} instead' if hidden_by else ''
    if not error:
        series = [x.release[:2] for x in tested]
        if tested and Version(status.found).release[:2] not in series:
            hint = hint or f'the tests ran with {status.tested}'
        verdict = 'untested' if hint else 'ok'
        return replace(status, verdict=verdict, note=hint or remark)
    repair = '' if hidden_by else _REINSTALL
    if status.name == 'xtcocotools':
        hint, repair = 'pycocotools evaluates COCO results in its place', ''
    elif any(sign in error for sign in _ANOTHER_NUMPY):
        hint = f'compiled for another NumPy than {_version("numpy")}'
    elif 'No module named' in error and not hidden_by:
        repair = _INSTALL_ALONE if status.name in _ALONE else _INSTALL
    note = f'{hint}: {error}' if hint else error
    return replace(status, verdict='broken', note=note, repair=repair)


def _remark(name: str, there: dict[str, str]) -> str:
    """Add to a distribution what its version does not show."""
    if name == 'xtcocotools':
        return f'{"it" if there else "pycocotools"} evaluates COCO results'
    if name == 'mmcv-lite' and there:
        more = ': NMS, RoIAlign and deformable convolution are those of torchvision'
        return mmcv_kind() + (more if 'no compiled' in mmcv_kind() else '')
    others = ' and '.join(other for other in there if other != name)
    return f'{others} is installed' if others else ''


def _module(item: Requirement) -> str:
    return _MODULES.get(item.name, item.name.replace('-', '_'))


def _version(name: str) -> str:
    try:
        return metadata.version(name) or ''
    except metadata.PackageNotFoundError:
        return ''


def _hiding_file(name: str) -> str:
    """Name the file that is imported in place of a distribution; empty if none is."""
    names = (name, *_SAME.get(name, ()))
    found = metadata.distribution(next(x for x in names if _version(x)))
    direct = json.loads(found.read_text('direct_url.json') or '{}')
    spec = importlib.util.find_spec(_module(Requirement(name)))
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    place, folder = next(filter(None, places), ''), Path(found.locate_file(''))
    if not place or direct.get('dir_info', {}).get('editable'):
        return ''
    return '' if folder.resolve() in Path(place).resolve().parents else str(place)
