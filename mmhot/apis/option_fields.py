"""Base of the option dataclasses: fields with help texts, conversions and checks."""

import operator
import os
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from mmhot.errors import did_you_mean
from mmhot.structures.formats import WRITERS

if TYPE_CHECKING:  # importing them takes time
    from mmhot.structures.lens import Lens

T = TypeVar('T', bound='Options')


@dataclass(frozen=True)
class Argument:
    """Documentation and check of one option.

    Args:
        help (str | Callable): Help text, or a function that returns it.
        choices (tuple): Allowed values; empty for any.
        low (float, optional): Least value.
        high (float, optional): Greatest value.
        convert (Callable, optional): Converts and checks a value that is no plain
            number, text or bool.
        metavar (str): Placeholder in the help text; the unit of a number.
        flag (str): Command-line option, where it is not the name of the field.
    """

    help: str | Callable[[], str]
    choices: tuple = ()
    low: float | None = None
    high: float | None = None
    convert: Callable[[Any], Any] | None = None
    metavar: str = 'N'
    flag: str = ''


def option(default: Any, help: str | Callable[[], str], **argument: Any) -> Any:
    """Declare a field with an :class:`Argument`; MISSING makes it required."""
    return field(default=default, metadata={'argument': Argument(help, **argument)})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all option dataclasses: converts and checks every field.

    None stands for the default. Numbers and choices may be given as text.

    Attributes:
        files (tuple[Path]): Existing files that the values name.
        title (str): Section of the command line's help for the fields of a class.
        python_only (tuple[str]): Fields without an option on the command line.

    Raises:
        ValueError: If a value is wrong; the message names the argument.
    """

    title = ''
    python_only = ()

    def __post_init__(self) -> None:
        """Convert and check the values."""
        given = [getattr(self, each.name) for each in fields(self)]
        texts = [value for value in given if isinstance(value, str | Path)]
        # isfile is False for names that are too long
        files = tuple(Path(text) for text in texts if os.path.isfile(text))
        object.__setattr__(self, 'files', files)
        for each, value in zip(fields(self), given, strict=True):
            value = each.default if value is None else value
            if value is not None:
                value = _check(each, value)
            object.__setattr__(self, each.name, value)

    @classmethod
    def of(cls: type[T], **values: object) -> T:
        """Build from a function's keyword arguments.

        Raises:
            TypeError: If a name is unknown; the message has the nearest one.
        """
        known = [each.name for each in fields(cls)]
        for name in values:
            if name not in known:
                hint = did_you_mean(name, known)
                raise TypeError(f'unexpected keyword argument {name!r}{hint}')
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Options):
    """Option of all that runs a model."""

    device: str = option(
        'auto', 'auto (the GPU if there is one), cpu, cuda or cuda:N', metavar='NAME'
    )


def kind_of(each: Field) -> type:
    """Return the type of an option's value, without ``| None``."""
    return (get_args(each.type) or (each.type,))[0]


def flag_of(each: Field) -> str:
    """Return the command-line option of a field, such as ``--det-model``."""
    return each.metadata['argument'].flag or f'--{each.name.replace("_", "-")}'


def _check(each: Field, value: Any) -> Any:
    name, argument, kind = each.name, each.metadata['argument'], kind_of(each)
    if argument.convert is not None:
        return argument.convert(value)
    if kind is bool:
        return bool(value)
    if kind in (int, float):
        value = _to_number(name, kind, value)
        _check_range(name, argument, value)
    elif not isinstance(value, str | Path):
        raise ValueError(f'{name} must be a name or file, got a {type(value).__name__}')
    if argument.choices and value not in argument.choices:
        known = [str(choice) for choice in argument.choices]
        choices, hint = ', '.join(known), did_you_mean(value, known)
        raise ValueError(f'{name} must be one of {choices}, got {value!r}{hint}')
    return kind(value)


def _to_number(name: str, kind: type, value: Any) -> float:
    try:
        is_whole = kind is int and not isinstance(value, str)
        return operator.index(value) if is_whole else kind(value)
    except (TypeError, ValueError):
        what = 'a whole number' if kind is int else 'a number'
        raise ValueError(f'{name} must be {what}, got {value!r}') from None


def _check_range(name: str, argument: Argument, value: float) -> None:
    low, high = argument.low, argument.high
    if low is not None and not low <= value <= (value if high is None else high):
        wanted = f'at least {low:g}' if high is None else f'from {low:g} to {high:g}'
        unit = '' if argument.metavar == 'N' else f' {argument.metavar.lower()}'
        raise ValueError(f'{name} must be {wanted}{unit}, got {value:g}')


def read_keep(value: Any) -> int | list[int]:
    """Read kept frames: a number, a list, or text such as '13,5'."""
    try:
        if isinstance(value, str):
            value = [int(part) for part in value.split(',')]
            return value if len(value) > 1 else value[0]
        if isinstance(value, list | tuple):
            return [operator.index(part) for part in value]
        return operator.index(value)
    except (TypeError, ValueError):
        raise ValueError(
            'keep must be a number of frames such as 27, or a list such as 13,5, got '
            f'{value!r}'
        ) from None


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    parts = value.lower().split('x') if isinstance(value, str) else value
    try:
        width, height = (int(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(
            f'image_size must be WxH, such as 1920x1080, got {value!r}'
        ) from None
    return width, height


def read_intrinsics(value: 'Lens | str | Path') -> 'Lens':
    """Read the calibration file unless a lens is given."""
    if not isinstance(value, str | Path):
        return value
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(value)
    except (ValueError, OSError) as error:
        raise type(error)(f'intrinsics: {error}') from error


def read_formats(value: Any) -> tuple[str, ...]:
    """Read names of export formats: a list, or text such as 'npz,mp4'."""
    names = value.split(',') if isinstance(value, str) else value
    names = tuple(dict.fromkeys(name.strip() for name in names))
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        given = repr(unknown[0]) if unknown else 'none'
        raise ValueError(f'formats must be among {",".join(WRITERS)}; got {given}')
    return names
