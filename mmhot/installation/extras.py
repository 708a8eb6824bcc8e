"""Packages that mmhot gets along without, until somebody wants what they do."""

import importlib
from types import ModuleType

from .requirements import read_requirements


def install_command(*names: str) -> str:
    """What to type to get packages of ``requirements/optional.txt`` as tested.

    Args:
        names (str): Distributions.
    """
    pins = {item.name: str(item) for item in read_requirements('optional')}
    return f'pip install {" ".join(pins[name] for name in names)}'


def import_extra(module: str, purpose: str, *names: str) -> ModuleType:
    """Import a package that may be missing.

    Args:
        module (str): What to import.
        purpose (str): What it is for, in the beginning of the error.
        names (str): Distributions that it takes.

    Returns:
        ModuleType: The module.

    Raises:
        ValueError: If it cannot be imported, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{purpose} needs {names[0]} ({reason:.100}): {install_command(*names)}'
        ) from error
