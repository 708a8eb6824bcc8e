"""Components of MMEngine's Runner; importing this package registers them."""

from mmhot.engine import hooks, optimization

__all__ = ['hooks', 'optimization']
