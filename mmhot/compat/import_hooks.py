"""Import hooks: stand-ins for xtcocotools and mmcv._ext, and the scheme ``mmhot::``.

Installing a hook imports nothing: it acts when another package is imported.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

Fill = Callable[[ModuleType], None]
"""Function that fills an empty module."""


class ModuleFinder(MetaPathFinder, Loader):
    """Finder and loader of stand-in modules.

    Args:
        modules (Mapping[str, Fill]): Function that fills each module, by its name.
    """

    def __init__(self, modules: Mapping[str, Fill]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ):
        """Return the spec of a stand-in."""
        if name not in self.modules:
            return None
        is_package = any(other.startswith(f'{name}.') for other in self.modules)
        return ModuleSpec(name, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Fill a stand-in."""
        self.modules[module.__name__](module)

    def install(self) -> Callable[[], None]:
        """Insert this finder before all others; return a function that reverts it."""
        sys.meta_path.insert(0, self)
        return self._uninstall

    def _uninstall(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in self.modules:
            sys.modules.pop(name, None)
            parent, _, child = name.rpartition('.')
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(child, None)


# Scheme, and the package that MMEngine searches for its files. For the distribution
# `mmhot` it finds a wrong folder if the install is editable. `mmhot.plugin` is a module
# and no distribution, so MMEngine asks importlib, which finds the right folder.
_CONFIG_SCHEME = ('mmhot', 'mmhot.plugin')
_CONFIG = 'mmengine.config.config'


class _ConfigLoader(SourceFileLoader):
    """Loader of MMEngine's configs that adds the config scheme."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of MMEngine's module, then add the config scheme."""
        super().exec_module(module)
        _add_scheme(module)


class _ConfigSchemeFinder(ModuleFinder):
    """Finder that adds the config scheme when MMEngine is imported after mmhot."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ):
        spec = PathFinder.find_spec(name, path) if name == _CONFIG else None
        if spec is not None and spec.origin is not None:
            spec.loader = _ConfigLoader(name, spec.origin)
        return spec


def _add_scheme(module: ModuleType) -> None:
    """Make ``mmengine.config.config`` resolve ``mmhot::``, and set no scope.

    For such a base MMEngine writes ``_scope_='mmhot'`` into all dicts with a ``type``.
    Some of them are not built by a registry (``collate_fn``, ``worker_init_fn``), and
    the names of others are known in the ``default_scope`` of the base alone.
    """
    import_module('mmengine.config.utils').MODULE2PACKAGE.setdefault(*_CONFIG_SCHEME)
    get_path = module.Config._get_cfg_path

    def get_path_and_scope(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path, scope = get_path(cfg_path, filename)
        return path, None if scope == _CONFIG_SCHEME[0] else scope

    vars(get_path_and_scope)['original'] = get_path
    module.Config._get_cfg_path = staticmethod(get_path_and_scope)


def add_config_scheme() -> Callable[[], None]:
    """Make MMEngine resolve ``_base_ = 'mmhot::...'``; return how to revert it."""
    finder = _ConfigSchemeFinder({})
    if _CONFIG in sys.modules:
        _add_scheme(sys.modules[_CONFIG])
    else:
        finder.install()

    def undo() -> None:
        finder._uninstall()
        if _CONFIG in sys.modules:
            config = sys.modules[_CONFIG].Config
            config._get_cfg_path = staticmethod(config._get_cfg_path.original)
            sys.modules['mmengine.config.utils'].MODULE2PACKAGE.pop(
                _CONFIG_SCHEME[0], None
            )

    return undo


def _copy_of(source: str) -> Fill:
    """Return a function that copies the public names of a module."""

    def fill(module: ModuleType) -> None:
        content = vars(import_module(source))
        vars(module).update({k: v for k, v in content.items() if k[:2] != '__'})

    return fill


def provide_xtcocotools() -> Callable[[], None] | None:
    """Provide ``xtcocotools``, on top of pycocotools, unless an installed one works.

    Its wheels are compiled for NumPy 1 and fail with NumPy 2.

    Returns:
        Callable | None: Function that reverts this, or None if it is not needed.
    """
    is_working = find_spec('xtcocotools') is not None and find_spec('numpy') is not None
    if is_working:
        from importlib.metadata import version  # slow import

        is_working = version('numpy')[:2] == '1.'
    if is_working or 'xtcocotools' in sys.modules or find_spec('pycocotools') is None:
        return None
    evaluation = _copy_of('mmhot.compat.coco_evaluation')
    modules = {
        'xtcocotools.coco': evaluation,
        'xtcocotools.cocoeval': evaluation,
        'xtcocotools.mask': _copy_of('pycocotools.mask'),
        'xtcocotools': lambda module: None,
    }
    return ModuleFinder(modules).install()


def provide_mmcv_operators() -> Callable[[], None] | None:
    """Provide ``mmcv._ext`` for mmcv-lite, on top of torchvision.

    Returns:
        Callable | None: Function that reverts this, or None if it is not needed.
    """
    spec = find_spec('mmcv')
    folders = (spec and spec.submodule_search_locations) or ()
    # If a compiled module fails to load, its own error is shown.
    if spec is None or any(any(Path(folder).glob('_ext.*')) for folder in folders):
        return None

    def fill(module: ModuleType) -> None:
        vars(module)['__getattr__'] = import_module(
            'mmhot.compat.mmcv_operators'
        ).find_operator

    return ModuleFinder({'mmcv._ext': fill}).install()
