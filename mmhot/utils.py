"""What MMEngine imports of a package by this name: ``PACKAGE.utils``."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all components with MMPose's registries, perhaps as default scope.

    ``mmengine.hub.get_model`` calls it.
    """
    from mmengine.registry import init_default_scope as set_scope

    import mmhot.plugin  # noqa: F401 registers all

    if init_default_scope:
        set_scope('mmpose')
