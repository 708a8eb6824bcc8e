"""Packages that extend mmhot, found by their entry points in the group ``mmhot``."""

import logging
from functools import cache

from mmhot.errors import ignored_warnings, one_line

_LOGGER = logging.getLogger(__name__)


@cache
def load_extensions() -> None:
    """Import the modules that entry points name, once; each registers its parts.

    A module that fails is left out with a warning. The command line,
    :mod:`mmhot.plugin` and Ray's workers call this. Like configs, these modules are
    programs.
    """
    from importlib.metadata import entry_points  # takes 0.1 s

    for point in sorted(entry_points(group='mmhot')):
        try:
            with ignored_warnings():
                point.load()
        except (Exception, SystemExit) as error:  # whatever a foreign package raises
            _LOGGER.warning(
                f'the extension %s (%s) is left out: {type(error).__name__}: %s',
                point.name,
                point.value,
                one_line(error),
            )
