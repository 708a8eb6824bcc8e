"""Makes ``_base_ = 'mmhot::...'`` build from MMPose's registries.

MMEngine marks every part that a config inherits through ``mmhot::`` with the scope
``mmhot``, imports this module for it, and then wants a registry of that scope. Without
one it would look in its own root registry, where neither MMPose's names nor ours are.
The scopes below are therefore empty and only lead on to MMPose's registries, where
everything of ours is registered.

The limit: MMEngine reads ``mmhot::`` only after ``import mmhot``, because
:mod:`mmhot.compat` adds it to the packages that MMEngine knows. Our command and tools
import mmhot. As for every package, ``_base_`` and ``mmengine.hub.get_config`` take such
names, and ``Config.fromfile`` does not.
"""

from mmengine.registry import FUNCTIONS, Registry
from mmpose import registry as mmpose_registry

_SCOPES = [
    Registry(host.name, parent=host, scope='mmhot', locations=['mmhot.plugin'])
    for host in (*vars(mmpose_registry).values(), FUNCTIONS)
    if isinstance(host, Registry)
]
