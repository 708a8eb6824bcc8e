"""Base of the option dataclasses: fields with help texts, conversions and checks."""

import operator
import os
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from inspect import Parameter, getdoc, signature
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from mmhot.errors import did_you_mean
from mmhot.structures.formats import WRITERS

if TYPE_CHECKING:  # importing them takes time
    from mmhot.structures.lens import Lens

T = TypeVar('T', bound='Options')
Function = TypeVar('Function', bound=Callable[..., Any])
_KINDS = {
    **{int: 'a whole number', float: 'a number'},
    **{str: 'a name or file', Path: 'a name or file'},
}


@dataclass(frozen=True)
class Argument:
    """Documentation and check of one option.

    Args:
        help (str): Help text.
        choices (tuple): Allowed values; empty for any.
        low (float): Least value.
        high (float): Greatest value.
        convert (Callable, optional): Converts and checks a value that is no plain
            number, text or bool.
        expected (str): What the value must be, for messages. Without it ``convert``
            has its own.
        metavar (str): Placeholder in the help text; the unit of a number.
        flag (str): Command-line option, where it is not the name of the field.
    """

    help: str
    choices: tuple = ()
    low: float = -inf
    high: float = inf
    convert: Callable[[Any], Any] | None = None
    expected: str = ''
    metavar: str = 'N'
    flag: str = ''


def option(default: Any, help: str, **argument: Any) -> Any:
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
        given = {each: getattr(self, each.name) for each in fields(self)}
        texts = [value for value in given.values() if isinstance(value, str | Path)]
        # isfile is False for names that are too long
        files = tuple(Path(text) for text in texts if os.path.isfile(text))
        object.__setattr__(self, 'files', files)
        for each, value in given.items():
            value = each.default if value is None else value
            if value is not None:
                value = _checked(each, value)
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


def takes(options: type[Options]) -> Callable[[Function], Function]:
    """Show the fields of options, in place of ``**options``, in a function's help."""

    def show(function: Function) -> Function:
        plain = signature(function)
        given = [x for x in plain.parameters.values() if x.kind is not x.VAR_KEYWORD]
        given += [
            Parameter(
                x.name, Parameter.KEYWORD_ONLY, default=x.default, annotation=x.type
            )
            for x in fields(options)
        ]
        function.__signature__ = plain.replace(parameters=given)
        texts = '\n'.join(
            f'    {x.name}: {x.metadata["argument"].help}' for x in fields(options)
        )
        function.__doc__ = f'{getdoc(function)}\n\nOptions:\n{texts}\n'
        return function

    return show


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Options):
    """Option of all that runs a model."""

    device: str = option(
        'auto', 'auto (the GPU if there is one), cpu, cuda or cuda:N', metavar='NAME'
    )


def kind_of(each: Field) -> type:
    """Return the type of an option's value, without ``| None``."""
    return (get_args(each.type) or (each.type,))[0]


def _checked(each: Field, given: Any) -> Any:
    """Convert the value of a field, and check it."""
    name, argument, kind = each.name, each.metadata['argument'], kind_of(each)
    expected = argument.expected or _KINDS.get(kind)
    try:
        value = argument.convert(given) if argument.convert else _to(kind, given)
    except (TypeError, ValueError) as error:
        if expected is None:
            raise
        raise ValueError(f'{name} must be {expected}, got {given!r}') from error
    low, high, choices = argument.low, argument.high, argument.choices
    if kind in (int, float) and not low <= value <= high:
        wanted = f'at least {low:g}' if high == inf else f'from {low:g} to {high:g}'
        unit = '' if argument.metavar == 'N' else f' {argument.metavar.lower()}'
        raise ValueError(f'{name} must be {wanted}{unit}, got {value:g}')
    if choices and value not in choices:
        known = [str(choice) for choice in choices]
        hint = did_you_mean(value, known)
        raise ValueError(
            f'{name} must be one of {", ".join(known)}, got {value!r}{hint}'
        )
    return value


def _to(kind: type, value: Any) -> Any:
    """Convert text or a value to a plain type, without rounding."""
    if kind in (str, Path) and not isinstance(value, str | Path):
        raise TypeError
    if kind is int and not isinstance(value, str):
        return operator.index(value)
    return kind(value)


def read_numbers(value: Any, kind: type = float, sign: str = ',') -> list:
    """Read numbers: a sequence, or text such as '1,0.5'."""
    parts = value.split(sign) if isinstance(value, str) else value
    return [_to(kind, part) for part in parts]


def read_keep(value: Any) -> int | list[int]:
    """Read kept frames: a number, a list, or text such as '13,5'."""
    if not isinstance(value, str | list | tuple):
        return operator.index(value)
    counts = read_numbers(value, int)
    return counts[0] if len(counts) == 1 else counts


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    width, height = read_numbers(value, int, 'x')
    if min(width, height) < 1:
        raise ValueError(f'{width}x{height}')
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
