"""What is installed here, whether it works together, and what mends it.

Standard library only: it has to work where nothing else does.
"""

from .findings import Finding, examine
from .mending import mending_commands

__all__ = ['Finding', 'examine', 'mending_commands']
