"""Models, losses and their parts; importing this package registers them."""

from mmhot.models import gtpt, lifters, tokens

__all__ = ['gtpt', 'lifters', 'tokens']
