"""What MMEngine imports of a package by this name: ``PACKAGE.utils``."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all components with MMPose's registries.

    ``mmengine.hub.get_model`` calls it.

    Args:
        init_default_scope (bool): Whether to make MMPose's scope the default one, so
            that components are found by names without it. Defaults to True.
    """
    from mmengine.registry import init_default_scope as set_scope

    import mmhot.plugin  # noqa: F401 registers all

    if init_default_scope:
        set_scope('mmpose')
