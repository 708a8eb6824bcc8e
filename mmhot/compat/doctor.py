"""Checks of ``mmhot doctor``: versions and imports of packages, and repair commands."""

import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mmhot.compat.installation import list_devices_of_driver, python_command
from mmhot.errors import pip
from mmhot.version import __version__

# Module that is imported to see whether a distribution works. By default it has the
# name of the distribution, with `_` for `-`.
_MODULES = {
    'mmcv-lite': 'mmcv.ops',
    'mmpose': 'mmpose.apis',
    'opencv-python-headless': 'cv2',
    'pillow': 'PIL',
    'pycocotools': 'pycocotools.mask',
    'pyyaml': 'yaml',
}
_OPENCV = ('opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
# Other distributions of the same module. Two of them overwrite each other's files.
_ALTERNATIVES = {
    'mmcv-lite': ('mmcv', 'onedl-mmcv'),
    'mmengine': ('onedl-mmengine',),
    'mmdet': ('onedl-mmdetection',),
    'opencv-python-headless': _OPENCV,
}
# Start of the names of forks that continue OpenMMLab's packages with the same modules,
# see docs/installation.md
_FORK = 'onedl-'
# Package that is installed without its requirements: pip cannot build them, or would
# downgrade NumPy for them.
_WITHOUT_REQUIREMENTS = 'mmpose'
# Version of Python for the markers of requirements. The extra lists MMPose for Python
# 3.9 alone, which mmhot does not support, so that pip does not install it.
_MARKED_PYTHON = {'python_version': '3.9', 'python_full_version': '3.9.0'}
# Packages of the extra. Each one shows that the extra is wanted.
_OF_THE_EXTRA = ('torch', 'mmengine', 'mmdet', 'mmpose')
_CHILD = 'from mmhot.compat.doctor import import_all; import_all(sys.argv[1:])'


@dataclass(frozen=True)
class PackageStatus:
    """State of one distribution, or of Python.

    Attributes:
        name (str): Name of the distribution.
        found (str | None): Installed version.
        allowed (str | None): Versions that mmhot accepts; None for all.
        verdict (str): 'ok', 'missing', 'optional' if it is missing and not needed, or
            'broken' if its version is not allowed or its import fails.
        note (str): Reason of the verdict.
        needed (bool): Whether mmhot or its extra `mmpose` needs it.
        command (str | None): Command that repairs it, if there is one.
    """

    name: str
    found: str | None
    allowed: str | None = None
    verdict: str = 'ok'
    note: str = ''
    needed: bool = True
    command: str | None = None

    @property
    def fails(self) -> bool:
        """Whether something that mmhot needs does not work."""
        return self.needed and self.verdict in ('broken', 'missing')


def examine() -> tuple[list[PackageStatus], list[str]]:
    """Judge Python, mmhot, its weights and every distribution that it uses.

    Returns:
        tuple[list[PackageStatus], list[str]]: The states, and the devices on which
        models can run.
    """
    listed = [Requirement(text) for text in metadata.requires('mmhot') or ()]
    extras = ('', 'mmpose') if has_extra() else ('',)
    needed = [x for x in listed if any(_applies(x, extra) for extra in extras)]
    optional = [x for x in listed if 'extra' in str(x.marker) and x not in needed]
    probes = {x.name: _module(x.name) for x in needed}
    probes['mmhot'] = 'mmhot.plugin' if has_extra() else 'mmhot.apis.lifting'
    errors, devices = try_imports([*probes.values()])
    error = errors.get(probes['mmhot'], '')
    folder = Path(__file__).parents[1]
    verdict = 'broken' if error else 'ok'
    wanted = metadata.metadata('mmhot')['Requires-Python']
    statuses = [
        PackageStatus('python', platform.python_version(), wanted, note=sys.executable),
        PackageStatus('mmhot', __version__, None, verdict, error or str(folder)),
        _judge_weights(folder / 'weights'),
        *(_judge(item, errors.get(probes[item.name], '')) for item in needed),
    ]
    for status in (_judge(item, '') for item in optional):
        verdict = status.verdict.replace('missing', 'optional')
        statuses.append(replace(status, verdict=verdict, needed=False))
    return statuses, devices


def has_extra() -> bool:
    """Return whether the extra ``mmpose`` is installed, perhaps in part."""
    return any(_version(name) for name in _OF_THE_EXTRA)


def try_imports(modules: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Import modules in another process, because an import may crash.

    Args:
        modules (Sequence[str]): Names of modules, in this order.

    Returns:
        tuple[dict[str, str], list[str]]: The error of each module that was reached,
        empty if it was imported, and the devices on which models can run.
    """
    done = subprocess.run(
        python_command(_CHILD, *modules),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding='utf-8',
    )
    outcomes = dict(json.loads(line) for line in done.stdout.splitlines())
    return outcomes, outcomes.pop('devices', None) or list_devices_of_driver()


def import_all(modules: Sequence[str]) -> None:
    """Import modules; print the outcome of each one as JSON, and then the devices."""
    out = os.fdopen(os.dup(1), 'w', buffering=1, encoding='utf-8')
    os.dup2(2, 1)  # packages print to stdout
    for module in modules:
        out.write(json.dumps([module, 'its import crashes']) + '\n')
        outcome = ''
        try:
            importlib.import_module(module)
        except BaseException as error:
            outcome = f'{" ".join(f"{type(error).__name__}: {error}".split()):.160}'
        out.write(json.dumps([module, outcome]) + '\n')
    if torch := sys.modules.get('torch'):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        names = [f'cuda:{i} ({torch.cuda.get_device_name(i)})' for i in range(count)]
        out.write(json.dumps(['devices', ['cpu', *names]]) + '\n')


def repair_commands(statuses: Sequence[PackageStatus]) -> list[str]:
    """List the commands that repair an installation, in order.

    Many imports fail because of other packages. So packages that are missing or of a
    wrong version are repaired first, and then the first package that fails.
    """
    broken = [status for status in statuses if status.fails and status.command]
    causes = [x for x in broken if '--force-reinstall' not in str(x.command)]
    commands: dict[str, list[str]] = {}
    for status in causes or broken[:1]:
        start, _, package = str(status.command).rpartition(' ')
        commands.setdefault(start, []).append(package)
    return [' '.join([start, *packages]) for start, packages in commands.items()]


def _judge(item: Requirement, error: str) -> PackageStatus:
    """Judge a distribution; ``error`` is the error of its import, or empty."""
    names = (item.name, *_ALTERNATIVES.get(item.name, ()))
    versions = {name: version for name in names if (version := _version(name))}
    name, version = next(iter(versions.items()), ('', None))
    status = PackageStatus(item.name, version, str(item.specifier) or None)
    package = f'{item.name}{item.specifier}'
    install = pip('install', package)
    if item.name == _WITHOUT_REQUIREMENTS:
        install = pip('install', '--no-deps', package)
    if version is None:
        return replace(status, verdict='missing', command=install)
    if len(set(versions.values())) > 1:
        note = f'{" and ".join(versions)} overwrite each other'
        install = f'{pip("uninstall", "-y", *versions)} && {install}'
    elif name.startswith(_FORK) and not error:
        return replace(status, allowed=None, note=f'{name}, see docs/installation.md')
    elif not item.specifier.contains(version, prereleases=True):
        note = f'mmhot needs {item.specifier}'
    elif error:
        note = error
        if 'No module named' not in error:
            install = pip('install', '--force-reinstall', '--no-deps', package)
    else:
        return status
    return replace(status, verdict='broken', note=note, command=install)


def _judge_weights(folder: Path) -> PackageStatus:
    """Compare the shipped weights in a folder with their checksums."""
    sums = (folder / 'SHA256SUMS').read_text(encoding='utf-8').splitlines()
    wrong = []
    for digest, name in map(str.split, sums):
        file = folder / name
        if not file.is_file() or sha256(file.read_bytes()).hexdigest() != digest:
            wrong.append(name)
    if not wrong:
        return PackageStatus('weights', None, note=str(folder))
    note = f'{", ".join(wrong)}: changed, cut off or missing; install mmhot again'
    return PackageStatus('weights', None, None, 'broken', note)


def _applies(item: Requirement, extra: str) -> bool:
    """Return whether mmhot with an extra needs a requirement."""
    environment = {'extra': extra, **_MARKED_PYTHON}
    return item.marker is None or item.marker.evaluate(environment)


def _module(name: str) -> str:
    """Return the module that is imported to see whether a distribution works."""
    return _MODULES.get(name, name.replace('-', '_'))


def _version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
