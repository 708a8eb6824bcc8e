"""The only place that touches other packages: what they need to work together today.

Each :class:`Shim` says what it is for, does nothing where its trouble is absent, and
can be taken back. The light ones are in place after ``import mmhot`` and cost
nothing; the others follow with :func:`apply`, which ``mmhot.plugin`` calls. One is for
those who ask for it: :func:`repair_inferencer`.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

Undo = Callable[[], None]


@dataclass(frozen=True)
class Shim:
    """One thing that is done to another package.

    Args:
        name (str): What ``mmhot doctor`` calls it.
        reason (str): The trouble, in one line.
        install (Callable): Does it and returns what takes it back, or returns None
            where it is not needed.
        light (bool): Whether it imports nothing, so that ``import mmhot`` can do it.
        since (tuple, optional): Package and its first version (two numbers) with the
            trouble, for those who want to know without importing it.
        on_request (bool): Whether it is for those only who ask for it.
    """

    name: str
    reason: str
    install: Callable[[], Undo | None]
    light: bool = False
    since: tuple[str, tuple[int, int]] | None = None
    on_request: bool = False


_undo: dict[str, Undo] = {}


def apply() -> tuple[str, ...]:
    """Put every shim in place that is needed, and name those that are."""
    return _apply(shim for shim in SHIMS if not shim.on_request)


def apply_light() -> tuple[str, ...]:
    """Put those in place that must be there right after ``import mmhot``."""
    return _apply(shim for shim in SHIMS if shim.light)


def revert() -> None:
    """Take back every shim, the last one first."""
    while _undo:
        _undo.popitem()[1]()


def applied() -> tuple[str, ...]:
    """Name the shims that are in place."""
    return tuple(_undo)


def states() -> dict[str, str]:
    """Say of every shim, by name, whether it is in place, or when it will be."""
    return {shim.name: _state(shim) for shim in SHIMS}


def _state(shim: Shim) -> str:
    if shim.name in _undo:
        return 'in place'
    if shim.on_request:
        return 'on request'
    if shim.light or shim.since is None:
        return 'not needed'
    from importlib.metadata import PackageNotFoundError, version

    package, first = shim.since
    try:
        found = tuple(map(int, re.findall(r'\d+', version(package))[:2]))
    except PackageNotFoundError:
        return 'not needed'
    return 'with mmhot.plugin' if found >= first else 'not needed'


@contextmanager
def shims() -> Iterator[tuple[str, ...]]:
    """Apply the shims for a block, and take those back that were not there before."""
    before = applied()
    try:
        yield apply()
    finally:
        for name in reversed(applied()):
            if name not in before:
                _undo.pop(name)()


def _apply(wanted) -> tuple[str, ...]:
    for shim in wanted:
        if shim.name not in _undo:
            undo = shim.install()
            if undo is not None:
                _undo[shim.name] = undo
    return applied()


# MMEngine asks for the installed path of the distribution named here and gets a wrong
# one for editable installs (pkg_resources says site-packages). For the name of a module
# it falls back on importlib, which is right for every kind of installation.
_CONFIG_SCHEME = ('mmhot', 'mmhot.plugin')


class _ConfigSchemeFinder(importlib.abc.MetaPathFinder):
    """Adds our config scheme when MMEngine is imported later than mmhot.

    Importing MMEngine just for that would take longer than all of ``mmhot --help``.
    """

    def find_spec(self, name, path=None, target=None):
        if name != 'mmengine.config.utils':
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_add(module: ModuleType) -> None:
            load(module)
            module.MODULE2PACKAGE.setdefault(*_CONFIG_SCHEME)

        spec.loader.exec_module = load_and_add
        return spec


def _install_config_scheme() -> Undo:
    finder = _ConfigSchemeFinder()
    utils = sys.modules.get('mmengine.config.utils')
    if utils is not None:
        utils.MODULE2PACKAGE.setdefault(*_CONFIG_SCHEME)
    else:
        sys.meta_path.insert(0, finder)

    def undo() -> None:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        loaded = sys.modules.get('mmengine.config.utils')
        if loaded is not None:
            loaded.MODULE2PACKAGE.pop(_CONFIG_SCHEME[0], None)

    return undo


class _DistributionNotFoundError(Exception):
    """What the stand-in for ``pkg_resources`` raises for a package that is absent."""


class _Distribution:
    """As much of ``pkg_resources.Distribution`` as the OpenMMLab packages use."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.project_name = found.metadata['Name']
        self.version = found.version

    @property
    def location(self) -> str:
        """Folder that holds the package; the checkout for an editable install."""
        from urllib.request import url2pathname  # only when asked for: it is slow

        origin = json.loads(self._found.read_text('direct_url.json') or '{}')
        if origin.get('dir_info', {}).get('editable'):
            return url2pathname(urlsplit(origin['url']).path)
        return str(self._found.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._found.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._found.read_text(name) or ''


def _get_distribution(name: str) -> _Distribution:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return _Distribution(distribution(name))
    except PackageNotFoundError:
        raise _DistributionNotFoundError(f'{name} is not installed') from None


class _PkgResourcesFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Provides a small ``pkg_resources`` made of ``importlib.metadata``."""

    def find_spec(self, name, path=None, target=None):
        if name != 'pkg_resources':
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def exec_module(self, module: ModuleType) -> None:
        module.DistributionNotFound = _DistributionNotFoundError
        module.get_distribution = _get_distribution


def _install_pkg_resources() -> Undo | None:
    if importlib.util.find_spec('pkg_resources') is not None:
        return None
    finder = _PkgResourcesFinder()
    sys.meta_path.append(finder)

    def undo() -> None:
        sys.meta_path.remove(finder)
        module = sys.modules.get('pkg_resources')
        if module is not None and module.__spec__.loader is finder:
            del sys.modules['pkg_resources']

    return undo


# Modules of the stand-in for xtcocotools, and those whose names they provide.
_XTCOCOTOOLS = {
    'xtcocotools.coco': 'mmhot.compat.coco_evaluation',
    'xtcocotools.cocoeval': 'mmhot.compat.coco_evaluation',
    'xtcocotools.mask': 'pycocotools.mask',
}


class _XtcocotoolsFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Provides ``xtcocotools`` by pycocotools where the installed one is unusable.

    Whether it was compiled for another NumPy shows only when it is imported. So its
    modules are imported when the package is first asked for, and replaced if one fails.
    """

    def find_spec(self, name, path=None, target=None):
        package = name.partition('.')[0]
        if package != 'xtcocotools':
            return None
        if name == package:
            return self._find_installed() or self._spec(package)
        ours = name in _XTCOCOTOOLS and self.made(sys.modules.get(package))
        return self._spec(name) if ours else None

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ in _XTCOCOTOOLS:
            content = vars(importlib.import_module(_XTCOCOTOOLS[module.__name__]))
            vars(module).update({k: v for k, v in content.items() if k[:2] != '__'})

    def made(self, module: ModuleType | None) -> bool:
        """Whether a module is of the stand-in."""
        return getattr(getattr(module, '__spec__', None), 'loader', None) is self

    def _spec(self, name: str) -> importlib.machinery.ModuleSpec:
        is_package = name not in _XTCOCOTOOLS
        return importlib.machinery.ModuleSpec(name, self, is_package=is_package)

    def _find_installed(self) -> importlib.machinery.ModuleSpec | None:
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec('xtcocotools', None) for finder in others)
        spec = next(filter(None, found), None)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_or_replace(module: ModuleType) -> None:
            try:
                load(module)
                for name in _XTCOCOTOOLS:
                    importlib.import_module(name)
            except Exception:  # what fails to load raises nearly anything
                _forget_xtcocotools()
                replacement = importlib.util.module_from_spec(self._spec(spec.name))
                # The import system hands out what it finds here after loading.
                sys.modules[spec.name] = replacement

        spec.loader.exec_module = load_or_replace
        return spec


def _forget_xtcocotools() -> None:
    for name in [x for x in sys.modules if x.partition('.')[0] == 'xtcocotools']:
        del sys.modules[name]


def _install_xtcocotools() -> Undo | None:
    if 'xtcocotools' in sys.modules or not importlib.util.find_spec('pycocotools'):
        return None
    finder = _XtcocotoolsFinder()
    sys.meta_path.insert(0, finder)

    def undo() -> None:
        sys.meta_path.remove(finder)
        if finder.made(sys.modules.get('xtcocotools')):
            _forget_xtcocotools()

    return undo


def mmcv_kind() -> str:
    """Describe the installed MMCV by its files, for people; nothing is imported."""
    from importlib.metadata import PackageNotFoundError, version

    for name in ('mmcv', 'mmcv-lite'):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        operators = 'compiled' if _has_compiled_operators() else 'no compiled operators'
        return f'{name} {found} ({operators})'
    return 'no MMCV'


def _has_compiled_operators() -> bool:
    """Whether MMCV's folder holds them, be they for this Python and PyTorch or not."""
    spec = importlib.util.find_spec('mmcv')
    folders = (spec and spec.submodule_search_locations) or ()
    return any(any(Path(folder).glob('_ext.*')) for folder in folders)


class _MmcvOperatorsFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Provides ``mmcv._ext``. It is the last finder: a compiled one is found first."""

    def find_spec(self, name, path=None, target=None):
        if name != 'mmcv._ext':
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def exec_module(self, module: ModuleType) -> None:
        operators = importlib.import_module('mmhot.compat.mmcv_operators')
        module.__getattr__ = operators.find_operator


def _install_mmcv_operators() -> Undo | None:
    # Compiled ones that fail to load keep their own error.
    if importlib.util.find_spec('mmcv') is None or _has_compiled_operators():
        return None
    finder = _MmcvOperatorsFinder()
    sys.meta_path.append(finder)

    def undo() -> None:
        sys.meta_path.remove(finder)
        module = sys.modules.get('mmcv._ext')
        # Modules of mmcv.ops that are imported already keep what they took from it.
        if module is not None and module.__spec__.loader is finder:
            del sys.modules['mmcv._ext']
            vars(sys.modules['mmcv']).pop('_ext', None)

    return undo


_DTYPES = ('Bool', 'Str', 'Bytes') + tuple(
    f'{kind}{bits}' for kind in ('Int', 'UInt') for bits in (8, 16, 32, 64)
)
_DTYPES += ('Float16', 'Float32', 'Float64', 'Complex64', 'Complex128')


def _statistic_of_history(owner: Any, name: str) -> Callable:
    """Stand in for ``getattr``, by which a HistoryBuffer names its own methods."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    from pickle import UnpicklingError

    raise UnpicklingError(f'Unsupported global: GLOBAL getattr of {name!r}')


def _checkpoint_globals() -> list:
    """List what an OpenMMLab checkpoint holds besides tensors and plain containers."""
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    scalar = np.float64(0).__reduce__()[0]
    reconstruct = np.zeros(0).__reduce__()[0]
    # Empty arrays are saved as bytes().
    allowed = [HistoryBuffer, ConfigDict, np.ndarray, np.dtype, bytes]
    allowed += [getattr(np.dtypes, f'{name}DType') for name in _DTYPES]
    allowed.append((_statistic_of_history, 'builtins.getattr'))
    # NumPy 2 calls the first one the second: files of both are around.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(scalar, f'{module}.scalar')]
        allowed += [(reconstruct, f'{module}._reconstruct')]
    return allowed


def _install_checkpoint_globals() -> Undo | None:
    import torch

    if torch.__version__ < (2, 6):
        return None
    there = torch.serialization.get_safe_globals()
    ours = [entry for entry in _checkpoint_globals() if entry not in there]
    torch.serialization.add_safe_globals(ours)

    def undo() -> None:
        now = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals([x for x in now if x not in ours])

    return undo


_DAMAGED = 'not a checkpoint, or a damaged one: torch.load cannot read it'


def safe_load(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Read a checkpoint that may hold what OpenMMLab's hold, and no other pickles.

    Args:
        path (str | Path): File made by ``torch.save``.
        map_location: Same as in ``torch.load``.

    Returns:
        Any: What was saved, mostly a dict.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is damaged or holds foreign objects.
    """
    from pickle import UnpicklingError

    import torch

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint file')
    with shims():
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except UnpicklingError as error:
            raise ValueError(f'{path}: {explain_refusal(error)}') from error
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            # A damaged file can make the unpickler raise anything.
            raise ValueError(f'{path}: {_DAMAGED}') from error


def explain_refusal(error: Exception) -> str:
    """Say in one line why ``torch.load`` refused a file."""
    found = re.search(r'GLOBAL (\S+)', str(error))
    if found:
        return (
            f'refused: it holds {found[1]}, and only tensors, NumPy arrays and plain '
            'containers are loaded, because other pickled objects can run any code'
        )
    return _DAMAGED


def repair_inferencer() -> ExitStack:
    """Make MMPose's 3D inferencer track people and lift true windows.

    Returns:
        ExitStack: Takes it back by ``close()`` or after ``with``; inferencers that
        were built in between stay repaired. Within a repair it does nothing.

    Raises:
        ValueError: If this is another version of MMPose than the one it was made for.
    """
    undo = ExitStack()
    if _INFERENCER.name not in _undo:
        _apply([_INFERENCER])
        undo.callback(lambda: _undo.pop(_INFERENCER.name, lambda: None)())
    return undo


_INFERENCER = Shim(
    'inferencer',
    "MMPose's 3D inferencer tracks nobody and lifts windows of one repeated frame",
    lambda: importlib.import_module('mmhot.compat.inferencer').install(),
    on_request=True,
)
SHIMS = (
    Shim(
        'config scheme',
        "MMEngine resolves '_base_ = mmhot::...' only for packages that it lists",
        _install_config_scheme,
        light=True,
    ),
    Shim(
        'pkg_resources',
        'setuptools >= 82 no longer brings it, and MMEngine looks up packages with it',
        _install_pkg_resources,
        light=True,
    ),
    Shim(
        'xtcocotools',
        'no wheels for NumPy 2 or Python >= 3.12: replaced where it does not import',
        _install_xtcocotools,
        light=True,
    ),
    Shim(
        'mmcv._ext',
        'mmcv-lite has no compiled operators; those of torchvision take their place',
        _install_mmcv_operators,
        light=True,
    ),
    Shim(
        'checkpoint globals',
        'torch >= 2.6 refuses the NumPy arrays and HistoryBuffers in checkpoints',
        _install_checkpoint_globals,
        since=('torch', (2, 6)),
    ),
    Shim(
        'tostring_rgb',
        "Matplotlib >= 3.10 dropped what MMPose's 3D visualizer draws with",
        lambda: importlib.import_module(
            'mmhot.compat.visualizer'
        ).restore_tostring_rgb(),
        since=('matplotlib', (3, 10)),
    ),
    Shim(
        'circle radius',
        "NumPy >= 2.4 does not convert the arrays that MMPose's visualizer passes",
        lambda: importlib.import_module('mmhot.compat.visualizer').pass_scalar_radius(),
        since=('numpy', (2, 4)),
    ),
    _INFERENCER,
)
