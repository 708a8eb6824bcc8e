"""Registries of the scope ``mmhot``, which resolve names in MMPose's registries.

MMEngine imports this module where a config or an inferencer names the scope ``mmhot``
(``type='mmhot.GTPTHead'``, ``scope='mmhot'``), and looks for a registry of that scope.
The registries below are empty; MMPose's are their parents.

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
