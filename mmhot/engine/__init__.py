"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine import hooks, optimizers, training

__all__ = ['hooks', 'optimizers', 'training']
