"""How threads of PyTorch wait for each other."""

import os

# GNU's OpenMP tries 300,000 times, some milliseconds, before a thread sleeps.
_TRIES = 10_000


def wait_less_actively() -> None:
    """Have threads that wait for others sleep sooner, where nobody chose otherwise.

    A thread that waits actively uses up its share of a core which another program
    wants too, and then is not run when its own turn comes: ``mmhot infer`` took
    twice the time beside two busy programs on two cores. Alone nothing is lost.

    PyTorch's OpenMP reads this once, when it is loaded; on Windows and macOS it is
    another one, which does not know the variable.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', str(_TRIES))
