"""What Python users import."""

from .lifter import Lifter

__all__ = ['Lifter']
