"""Options as fields of dataclasses: defaults, help texts, conversions and checks.

A dataclass of options is a step of a pipeline, what a command reads, or what it writes.
:class:`Values` distributes what a user stated to the dataclasses of a call; the
command line has a flag, and the documentation a row, for each of their fields.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import MISSING, dataclass, field, fields
from functools import reduce
from inspect import signature
from math import inf, isnan
from operator import index, or_
from pathlib import Path
from types import GenericAlias
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from mmhot.errors import ArgumentError, did_you_mean, require_choice

T = TypeVar('T', bound='Options')
LISTS = tuple, list, set, frozenset  # types of options with several values
_KINDS: dict[Any, str] = {
    int: 'a whole number',
    float: 'a number',
    bool: 'True or False',
}
_KINDS |= dict.fromkeys((str, Path), 'a name or file')
# Types that need no function to be read, and descriptions of their values
_KINDS |= {
    several: f'{count}values separated by commas, each {text}'
    for kind, text in _KINDS.items()
    for several, count in (
        *((GenericAlias(x, kind), '') for x in (list, set, frozenset, Sequence)),
        (GenericAlias(tuple, (kind, ...)), ''),
        *((GenericAlias(tuple, (kind,) * n), f'{n} ') for n in (2, 3, 4)),
    )
    if kind is not bool
}


@dataclass(frozen=True)
class Option:
    """Limits of the values of an option, besides their type.

    An option is an annotated field of a dataclass of :class:`Options`. The annotation
    has the type, the help text, and the limits where there are any::

        fov: Annotated[float | None, 'angle of view', Option(low=2, high=170)] = None

    Types are int, float, bool, str, Path, Literals of one of them, and tuples, lists
    and sets of one of them, in text separated by commas; limits hold for each value.
    Other types need ``read``.
    """

    choices: tuple = ()  # allowed values, if the type is not Literal
    low: float = -inf  # smallest value
    high: float = inf  # largest value
    # Function that converts and checks what a user stated, for types of several parts
    read: Callable[[Any], Any] | None = None
    # Description of right values, for the message if ``read`` raises one without text
    expected: str = ''
    metavar: str = 'N'  # placeholder in the help text; the unit of a number
    # Whether results depend on the value itself, so that --resume compares it. They do
    # not depend on devices and folders, and the weights of models are compared instead.
    decides: bool = True


@dataclass(frozen=True)
class DeclaredOption:
    """An option as a field of a dataclass declares it, see :func:`options_of`."""

    name: str
    help: str
    kind: Any  # type without ``| None``
    limits: Option
    choices: tuple  # allowed values, by the type or the limits
    default: Any  # MISSING if the option is required
    title: str = field(compare=False)  # title of the class that declares it

    def convert(self, value: object) -> Any:
        """Convert what a user stated to the type of the option.

        Args:
            value (object): A value of this type, or text as on the command line.

        Returns:
            Any: The value.

        Raises:
            ArgumentError: If the value is wrong; says what would be right.

        Example::

            options_of(SetLens)['fov'].convert('60')  # 60.0
        """
        name = self.name
        limits = self.limits
        if isinstance(value, str) and not value and not limits.expected:
            raise ArgumentError(f'{{{name}}} must not be empty')
        expected = limits.expected or _KINDS.get(self.kind)
        try:
            converted = limits.read(value) if limits.read else _to(self.kind, value)
        except (TypeError, ValueError, OverflowError) as error:
            if not expected or isinstance(error, ArgumentError):
                raise
            raise ArgumentError(
                f'{{{name}}} must be %s, got %r', expected, value
            ) from error
        low = limits.low
        high = limits.high
        for part in converted if isinstance(converted, LISTS) else [converted]:
            if (low, high) != (-inf, inf) and not low <= part <= high:
                span = (
                    f'from {low:g} to {high:g}' if high < inf else f'at least {low:g}'
                )
                unit = '' if limits.metavar == 'N' else f' {limits.metavar.lower()}'
                raise ArgumentError(f'{{{name}}} must be {span}{unit}, got %g', part)
            if self.choices:
                require_choice(name, part, self.choices)
        return converted


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all dataclasses with options.

    Objects have values of the declared types; :meth:`read` makes them from what a user
    stated. Fields without a help text are settings for developers.
    """

    title: ClassVar[str] = ''  # section of the command line's help
    # Hint for users who give the options to a call that does not have them
    hint: ClassVar[str] = ''  # ``%s`` stands for the name of the option

    # Names of the options that a user stated
    stated: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @classmethod
    def read(cls: type[T], stated: Mapping[str, object]) -> T:
        """Make an object from what a user stated; options of other classes are ignored.

        Args:
            stated (Mapping[str, object]): Values by name; None counts as not stated.

        Returns:
            Options: An object of this class; other options have their defaults.

        Raises:
            ArgumentError: If a value is wrong.
        """
        values = _converted(cls, stated)
        return cls(**values, stated=frozenset(values))

    def with_stated(self: T, stated: Mapping[str, object]) -> T:
        """Return a copy of the object with the values that a user stated.

        Args:
            stated (Mapping[str, object]): Values by name; None counts as not stated.

        Raises:
            ArgumentError: If a value is wrong.
        """
        values = _converted(type(self), stated)
        return self.with_values(**values, stated=frozenset(values)) if values else self

    def with_values(self: T, **values: object) -> T:
        """Return a copy with other values; classes may have their own constructor."""
        other = copy(self)
        for name, value in values.items():
            object.__setattr__(other, name, value)
        getattr(other, '__post_init__', lambda: None)()
        return other

    def check_beside(self, values: 'Values') -> None:
        """Raise ArgumentError if the values contradict values of other dataclasses.

        Args:
            values (Values): The values of all dataclasses of the call.
        """

    def option_values(self) -> dict[str, Any]:
        """Return the values of the options, by name."""
        return {name: getattr(self, name) for name in options_of(type(self))}

    def refuse(self, names: Iterable[str], reason: str | ArgumentError) -> None:
        """Raise ArgumentError if an option of these names is stated.

        Args:
            names (Iterable[str]): Options that cannot act.
            reason (str | ArgumentError): Text after the name of the option, such as
                'needs the format bvh'.
        """
        for name in sorted(self.stated & {*names}):
            raise ArgumentError(f'{{{name}}} %s', reason)


def _converted(kind: type[Options], stated: Mapping[str, object]) -> dict[str, Any]:
    """Return the stated options of a class, converted and checked, by name."""
    return {
        name: option.convert(stated[name])
        for name, option in options_of(kind).items()
        if stated.get(name) is not None
    }


_DECLARED: dict[type[Options], list[DeclaredOption]] = {}


def options_of(*kinds: type[Options]) -> dict[str, DeclaredOption]:
    """Return the options of dataclasses by name, each once, in the order of fields."""
    declared: dict[str, DeclaredOption] = {}
    for kind in kinds:
        if kind not in _DECLARED:
            _DECLARED[kind] = _declared_by(kind)
        for option in _DECLARED[kind]:
            declared.setdefault(option.name, option)
    return declared


def _declared_by(kind: type[Options]) -> list[DeclaredOption]:
    """Return the options that are fields of a class."""
    # Annotations are text in modules that import `annotations`.
    types = get_type_hints(kind, include_extras=True)
    classes = [part for part in kind.__mro__ if issubclass(part, Options)]
    declared = []
    for each in fields(kind):
        if get_origin(types[each.name]) is not Annotated:
            continue
        value, text, *limits = get_args(types[each.name])
        option = limits[0] if limits else Option()
        if type(None) in get_args(value):
            value = reduce(or_, (x for x in get_args(value) if x is not type(None)))
        is_literal = get_origin(value) is Literal
        choices = get_args(value) if is_literal else option.choices
        kinds = {*map(type, choices)} if is_literal else {value}
        if not option.read and (len(kinds) > 1 or not kinds <= _KINDS.keys()):
            raise TypeError(
                f'the option {each.name!r} has the type {value}: all but int, float, '
                'bool, str, Path, and Literals, lists, tuples and sets of one of them '
                'need Option(read=...)'
            )
        declared.append(
            DeclaredOption(
                each.name,
                text,
                kind=kinds.pop(),
                limits=option,
                choices=choices,
                default=each.default
                if each.default_factory is MISSING
                else each.default_factory(),
                # The last class that has the field declares it.
                title=[x.title for x in classes if each in fields(x)][-1],
            )
        )
    return declared


def require_new_options(kind: type[Options], others: Iterable[type[Options]]) -> None:
    """Raise ValueError if an option of a class has the name of another option.

    Two classes may share an option if both declare it alike.
    """
    known = options_of(*others)
    for name, option in options_of(kind).items():
        if known.get(name, option) != option:
            raise ValueError(
                f'the name of the option {name!r} is taken: rename it, or declare it '
                'exactly as the other one'
            )


class Values:
    """What a user stated, distributed to the dataclasses that take part in a call.

    Args:
        stated (Mapping[str, object]): Values by name; None counts as not stated.
        kinds (Sequence[type[Options]]): The dataclasses.

    Raises:
        TypeError: If no dataclass has an option of a name; with the nearest name.
        ArgumentError: If a value is wrong.
    """

    def __init__(
        self, stated: Mapping[str, object], kinds: Sequence[type[Options]]
    ) -> None:
        self.kinds = tuple(kinds)
        declared = options_of(*kinds)
        self.stated: dict[str, object] = {}
        for name, value in stated.items():
            if name not in declared:
                hint = _hint_elsewhere(name, Options) or did_you_mean(name, declared)
                raise TypeError(f'unexpected keyword argument {name!r}{hint}')
            if value is not None:
                self.stated[name] = value
        self._read: dict[type[Options], Any] = {}
        for kind in kinds:
            # Users register an object of a class that has its own constructor.
            if 'stated' in signature(kind).parameters:
                self.of(kind).check_beside(self)

    @property
    def files(self) -> list[Path]:
        """Existing files that the values name."""
        names = (x for x in self.stated.values() if isinstance(x, str | Path))
        # os.path.isfile is False for names that are too long; Path.is_file raises.
        return [Path(name) for name in names if os.path.isfile(name)]

    def of(self, kind: type[T]) -> T:
        """Return a dataclass with the values that the user stated, or its defaults."""
        if kind not in self._read:
            self._read[kind] = kind.read(self.stated)
        return self._read[kind]


def _hint_elsewhere(name: str, kind: type[Options]) -> str:
    """Search a class and its subclasses for an option; return its hint, or ''."""
    if kind.hint and name in options_of(kind):
        return f': {kind.hint}'.replace('%s', name)
    hints = (_hint_elsewhere(name, derived) for derived in kind.__subclasses__())
    return next(filter(None, hints), '')


def _to(kind: Any, value: Any) -> Any:
    """Convert text or a value to a type; raise an error rather than round."""
    if several := get_origin(kind):
        first, *others = get_args(kind)
        values = split_numbers(value, first)
        if several is tuple and others not in ([...], [first] * (len(values) - 1)):
            raise ValueError
        return (tuple if several is Sequence else several)(values)
    if kind in (str, Path) and not (isinstance(value, str | Path) and str(value)):
        raise TypeError
    # bool('no') is True, and int(True) is 1. NumPy has a bool of its own.
    is_bool = type(value).__name__ in ('bool', 'bool_')
    if is_bool != (kind is bool) or (kind is float and isnan(float(value))):
        raise TypeError
    if kind is int and not isinstance(value, str):
        return index(value)
    return kind(value)


def split_numbers(value: Any, kind: type = float, sign: str = ',') -> list:
    """Convert a value, a sequence of values, or text such as '1,0.5' to a list.

    >>> split_numbers('1920x1080', int, 'x')
    [1920, 1080]

    Args:
        value (Any): The values.
        kind (type): Type of each of them. Defaults to float.
        sign (str): Text between two of them. Defaults to a comma.

    Returns:
        list: The values.

    Raises:
        ValueError: If a part is not a value of this kind.
        TypeError: If a part is neither text nor a value of this kind.
    """
    parts = map(str.strip, value.split(sign)) if isinstance(value, str) else value
    try:
        parts = [*parts]
    except TypeError:  # a number, or an array without axes
        parts = [parts]
    return [_to(kind, part) for part in parts]


def split_names(value: str | Iterable[str]) -> tuple[str, ...]:
    """Split names: a list, or text such as 'npz,mp4'; each is returned once.

    >>> split_names('npz, mp4,npz')
    ('npz', 'mp4')
    """
    parts = value.split(',') if isinstance(value, str) else value
    return tuple(dict.fromkeys(str(part).strip() for part in parts))


def read_names(
    name: str,
    value: str | Iterable[str],
    choices: Iterable[str],
    hints: Mapping[str, str] = {},
) -> tuple[str, ...]:
    """Read the names of an option: a list, or text such as 'npz,mp4'.

    Args:
        name (str): The option.
        value (str | Iterable[str]): The names.
        choices (Iterable[str]): The names that exist.
        hints (Mapping[str, str]): See :func:`mmhot.errors.require_choice`.

    Returns:
        tuple[str, ...]: The names, each once.

    Raises:
        ArgumentError: If a name does not exist.
    """
    names = split_names(value)
    for part in names:
        require_choice(name, part, choices, hints)
    return names


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Options):
    """Option of functions and commands that run a model."""

    device: Annotated[
        str,
        'auto (the GPU if there is one), cpu, cuda or cuda:N',
        Option(metavar='NAME', decides=False),
    ] = 'auto'
