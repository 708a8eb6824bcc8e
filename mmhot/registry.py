"""Registries of the scope ``mmhot``, which resolve names in MMPose's registries.

MMEngine marks every dict that a config inherits through ``_base_ = 'mmhot::...'`` with
the scope ``mmhot``, imports this module and looks for a registry of that scope. The
registries below are empty; MMPose's are their parents.

MMEngine knows ``mmhot::`` only after ``import mmhot``, see
:mod:`mmhot.compat.import_hooks`. ``_base_`` and ``mmengine.hub.get_config`` accept such
paths, ``Config.fromfile`` does not.
"""

from mmengine.registry import FUNCTIONS, Registry
from mmpose import registry as mmpose_registry

_SCOPES = [
    Registry(host.name, parent=host, scope='mmhot', locations=['mmhot.plugin'])
    for host in (*vars(mmpose_registry).values(), FUNCTIONS)
    if isinstance(host, Registry)
]
