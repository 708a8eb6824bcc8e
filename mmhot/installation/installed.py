"""What the folders of installed packages tell, without importing anything."""

import csv
import ctypes
import importlib.metadata
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

# All bring the same `cv2` folder.
OPENCVS = (
    'opencv-python-headless',
    'opencv-python',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)


@dataclass(frozen=True)
class Installed:
    """A distribution, or a module that belongs to none.

    Args:
        name (str): The distribution's name.
        version (str): Nothing where only a module was found.
        damage (str): What is wrong with its files, or nothing.
        hidden_by (str): File that Python would import instead, or nothing.
    """

    name: str
    version: str = ''
    damage: str = ''
    hidden_by: str = ''


def find_installed(name: str, module: str) -> Installed | None:
    """Find a package; None if there is neither a distribution nor a module.

    Args:
        name (str): Distribution.
        module (str): What Python imports.
    """
    names = OPENCVS if name in OPENCVS else (name,)
    origin = _origin(module)
    for candidate in names:
        try:
            found = importlib.metadata.distribution(candidate)
            version = found.metadata['Version']
        except importlib.metadata.PackageNotFoundError:
            continue
        if not version:  # a folder that an interrupted pip left
            return Installed(candidate, damage='is half-installed')
        damage = find_damage(found)
        if not damage and origin is None:
            damage = f'has no module {module}'
        hidden_by = '' if damage or _belongs(origin, found) else origin
        return Installed(candidate, version, damage, hidden_by)
    return None if origin is None else Installed(name)


def find_opencvs() -> dict[str, str]:
    """Versions of all distributions that bring ``cv2``, by name."""
    versions = {}
    for name in OPENCVS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def find_devices() -> list[str]:
    """Devices by what NVIDIA's driver says, where PyTorch cannot be asked."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL('libcuda.so.1')
        driver.cuInit(0)
        driver.cuDeviceGetCount(ctypes.byref(count))
    except OSError:
        return ['cpu']
    return ['cpu', *(f'cuda:{index}' for index in range(count.value))]


def find_damage(found: importlib.metadata.Distribution) -> str:
    """Name a file that a distribution lacks; nothing if all that runs is there.

    Files that people edit or leave out on purpose (headers, tests, documents) do not
    count, and neither do changed sources unless they are empty.
    """
    for row in csv.reader((found.read_text('RECORD') or '').splitlines()):
        if len(row) < 3 or not row[0].endswith(('.py', '.so')) or '/test' in row[0]:
            continue
        try:
            size = Path(found.locate_file(row[0])).stat().st_size
        except OSError:
            return f'lacks {row[0]}'
        recorded = int(row[2] or size)
        if size != recorded and (row[0].endswith('.so') or not size):
            return f'has a damaged {row[0]}'
    return ''


def _origin(module: str) -> str | None:
    """File of a top-level module, which is not imported."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    return next((str(place) for place in places if place), module)


def _belongs(origin: str, found: importlib.metadata.Distribution) -> bool:
    """Whether a module's file is the distribution's own."""
    direct = json.loads(found.read_text('direct_url.json') or '{}')
    if direct.get('dir_info', {}).get('editable'):
        return True
    folder, place = Path(found.locate_file('')), Path(origin)
    return folder in place.parents or folder.resolve() in place.resolve().parents
