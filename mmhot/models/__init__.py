"""Models, losses and their parts; importing this package registers them."""

from . import gtpt, lifters, tokens

__all__ = ['gtpt', 'lifters', 'tokens']
