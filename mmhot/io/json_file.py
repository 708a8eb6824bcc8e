"""Numbers in JSON files: what is written, and what is read without trusting it."""

import json
from pathlib import Path

import numpy as np


def load_json(path: Path) -> object:
    """Decode a JSON file; UTF-8, UTF-16 and UTF-32 are recognized.

    Args:
        path (Path): The file.

    Returns:
        object: Its content.
    """
    data = path.read_bytes()
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        raise ValueError(
            f'is not UTF-8 text (byte {error.start}), so it is not JSON'
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f'is not valid JSON: {error.msg} at line {error.lineno}, column '
            f'{error.colno}; is it cut off?'
        ) from error
    except (RecursionError, ValueError) as error:
        raise ValueError(f'is not valid JSON: {error}') from error


def as_numbers(values: object, what: str) -> np.ndarray:
    """Turn nested lists into float64; null becomes NaN.

    Args:
        values (object): From a JSON file.
        what (str): How messages call it.

    Returns:
        np.ndarray: Any shape.
    """
    try:
        array = np.array(values)
        if array.dtype.kind in 'iuf':
            return array.astype(np.float64)
        if array.dtype.kind == 'O':
            if any(isinstance(value, str) for value in array.flat):
                raise TypeError
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    shown = ' '.join(str(values).split())
    shown = shown if len(shown) < 60 else f'{shown[:60]}...'
    raise ValueError(f'{what} must be a regular list of numbers, got {shown}')


def as_identity(value: object, what: str) -> int:
    """Turn a frame or person number into an int; digits in quotes are one."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = value.strip()[:20]
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{what} must be a whole number, got {value!r:.60}')
    elif value != value or value in (float('inf'), -float('inf')) or value % 1:
        raise ValueError(f'{what} must be a whole number, got {value}')
    number = int(value)
    if abs(number) >= 2**63:
        raise ValueError(f'{what} is too large: {str(number)[:60]}')
    return number


def exact_list(array: np.ndarray) -> list:
    """Return nested lists with the fewest digits that read back as the same float32.

    Args:
        array (np.ndarray): Numbers, any shape.

    Returns:
        list: For JSON; NaN becomes None.
    """
    if array.dtype.kind in 'iu':
        return array.tolist()
    array = np.asarray(array, np.float32)
    exact = array.astype(np.float64)
    short = array.astype('U32').astype(np.float64)
    short = np.where(short.astype(np.float32) == array, short, exact).astype(object)
    short[np.isnan(array)] = None
    return short.tolist()
