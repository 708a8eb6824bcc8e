"""Registration for MMEngine, which imports ``PACKAGE.utils`` by this name."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all components with MMPose's registries, for ``mmengine.hub.get_model``.

    Args:
        init_default_scope (bool): Whether MMPose becomes the default scope.
    """
    from mmengine.registry import init_default_scope as set_scope

    import mmhot.plugin  # noqa: F401 registers all

    if init_default_scope:
        set_scope('mmpose')
