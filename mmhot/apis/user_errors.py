"""Errors that users can correct, as one line of text."""

import os
from pickle import UnpicklingError
from traceback import walk_tb

from mmhot.errors import escape, one_line

# First packages of the extra `mmpose` that commands for training import.
_OF_THE_EXTRA = ('torch', 'mmengine', 'mmpose', 'mmdet', 'mmcv')
_USER_ERRORS = (ValueError, OSError, MemoryError, UnpicklingError)


def is_debugging() -> bool:
    """Whether errors are raised with their traceback (``MMHOT_DEBUG=1``)."""
    return os.environ.get('MMHOT_DEBUG') == '1'


def is_user_error(error: Exception) -> bool:
    """Whether the input or the machine is the cause, not the program."""
    # MMPose's datasets assert that their files exist
    is_missing_file = isinstance(error, AssertionError) and 'not exist' in str(error)
    return (
        isinstance(error, _USER_ERRORS)
        or is_missing_file
        or _is_out_of_memory(error)
        or _is_refused_by_pytorch(error)
        or is_failed_import(error)
    )


def is_failed_import(error: Exception) -> bool:
    """Whether an import failed: of a missing package, or of one that is broken.

    A package that was compiled for another NumPy raises ValueError and others.
    """
    frames = walk_tb(error.__traceback__)
    return isinstance(error, ImportError) or any(
        frame.f_code.co_name == '<module>' for frame, _ in frames
    )


def explain(error: Exception) -> str:
    """Describe an exception in one line, for users."""
    if isinstance(error, ModuleNotFoundError) and error.name in _OF_THE_EXTRA:
        text = f"this needs {error.name}: pip install 'mmhot[mmpose]'"
    elif is_failed_import(error):
        text = f'{str(error) or type(error).__name__}: run `mmhot doctor`, which names '
        text += 'what is missing or broken, and how to repair it'
    elif isinstance(error, UnpicklingError):
        from mmhot.compat.checkpoints import explain_refusal

        text = f'checkpoint {explain_refusal(error)}'
    elif _is_out_of_memory(error):
        text = 'the GPU has too little memory; use a smaller batch or the device cpu'
    elif isinstance(error, MemoryError) or _is_refused_by_pytorch(error):
        text = 'this needs more memory than there is'
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            text = f'{escape(error.filename)}: {text}'
    else:
        text = str(error) or type(error).__name__
    return one_line(text)


def explain_any(error: Exception) -> str:
    """Describe an exception in one line; faults of the program with their type."""
    text = explain(error)
    if is_user_error(error):
        return text
    return f'{type(error).__name__}: {text} (MMHOT_DEBUG=1 shows the traceback)'


def _is_refused_by_pytorch(error: Exception) -> bool:
    """Whether PyTorch got no memory of the CPU, for which it has no class of errors."""
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _is_out_of_memory(error: Exception) -> bool:
    # by name: importing PyTorch for its class would cost every command seconds
    return type(error).__name__ == 'OutOfMemoryError'
