"""The only place that touches other packages: what they need to work together today.

Two parts run on ``import mmhot`` and cost nothing: MMEngine learns that ``mmhot::path``
names one of our configs, and ``pkg_resources`` gets a stand-in where setuptools no
longer brings it. The rest is in :data:`SHIMS`, which :func:`apply` puts in place (as
``mmhot.plugin`` does) and :func:`revert` takes away again. A shim whose trouble is
absent does nothing. Nothing heavy is imported before it is needed.
"""

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from types import ModuleType

# MMEngine asks for the installed path of the distribution named here and gets a wrong
# one for editable installs (pkg_resources says site-packages). For the name of a module
# it falls back on importlib, which is right for every kind of installation.
_CONFIG_SCHEME = ('mmhot', 'mmhot.plugin')


def apply_light() -> None:
    """Put in place what must be there right after ``import mmhot``."""
    utils = sys.modules.get('mmengine.config.utils')
    if utils is not None and hasattr(utils, 'MODULE2PACKAGE'):
        _add_config_scheme(utils)
    elif not any(isinstance(finder, _ConfigSchemeFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ConfigSchemeFinder())


def _add_config_scheme(utils: ModuleType) -> None:
    utils.MODULE2PACKAGE.setdefault(*_CONFIG_SCHEME)


class _ConfigSchemeFinder(importlib.abc.MetaPathFinder):
    """Adds our config scheme when MMEngine is imported later than mmhot.

    Importing MMEngine just for that would take longer than all of ``mmhot --help``.
    """

    def find_spec(self, name, path=None, target=None):  # noqa: D102
        if name != 'mmengine.config.utils':
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_add(module):
            load(module)
            _add_config_scheme(module)

        spec.loader.exec_module = load_and_add
        return spec
