"""Components of MMEngine's Runner; importing this package registers them."""

from mmhot.engine import checkpoint_files, hooks, optimization

__all__ = ['checkpoint_files', 'hooks', 'optimization']
