"""Makes ``_base_ = 'mmhot::...'`` build from MMPose's registries.

MMEngine marks every part that a config inherits through ``mmhot::`` with the scope
``mmhot``, imports this module for it, and then wants a registry of that scope. Without
one it would look in its own root registry, where neither MMPose's names nor ours are.
The scopes below are therefore empty and only lead on to MMPose's registries, where
everything of ours is registered.
"""

from mmengine.registry import Registry
from mmpose import registry as mmpose_registry

_SCOPES = [
    Registry(host.name, parent=host, scope='mmhot', locations=['mmhot.plugin'])
    for host in vars(mmpose_registry).values()
    if isinstance(host, Registry)
]
