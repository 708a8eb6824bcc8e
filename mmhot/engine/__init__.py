"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine import hooks, optimizers, report, start  # noqa: F401 registers
