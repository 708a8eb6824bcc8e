"""Whether a model is run for its own sake."""

import torch


def being_traced() -> bool:
    """Whether PyTorch records or compiles what is being run, for use elsewhere."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
