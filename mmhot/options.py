"""Options as fields of dataclasses: defaults, help texts, conversions and checks.

A dataclass of options is a step of a pipeline, what a command reads, or what it writes.
:class:`Values` distributes what a user stated to the dataclasses of a call; the
command line has a flag, and the documentation a row, for each of their fields.
"""

import logging
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from inspect import Parameter, getdoc, signature
from math import inf
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

from mmhot.errors import ArgumentError, did_you_mean, require_choice

T = TypeVar('T', bound='Options')
Function = TypeVar('Function', bound=Callable[..., Any])
_LOGGER = logging.getLogger(__name__)
BACKENDS = ('auto', 'torch', 'onnx')
RENAMED = {'model': 'pose3d', 'checkpoint': 'pose3d_weights'}
"""Options of mmhot 0.2, which still work, and their names of today."""
_NAME, _FLAG = 'a name or file', re.compile(r'--([a-z\d-]+)')
_KINDS = {int: 'a whole number', float: 'a number', bool: 'True or False'}
_KINDS |= {str: _NAME, Path: _NAME}


@dataclass(frozen=True)
class Argument:
    """Documentation and check of one option."""

    help: str
    choices: tuple = ()  # allowed values; empty for any
    low: float = -inf  # least value
    high: float = inf  # greatest value
    # converts and checks a value that is no plain number, text or bool
    convert: Callable[[Any], Any] | None = None
    # what the value must be, for messages. Without it ``convert`` has its own
    expected: str = ''
    metavar: str = 'N'  # placeholder in the help text; the unit of a number
    # whether results depend on the value itself; they do not on a device or folder, and
    # names of models stand for weights
    decides: bool = True

    @property
    def python_help(self) -> str:
        """Help text with the names of arguments instead of flags."""
        return _FLAG.sub(lambda flag: flag[1].replace('-', '_'), self.help)

    def check(self, name: str, kind: type, value: Any) -> Any:
        """Convert and check the value of an argument."""
        if isinstance(value, str) and not value and not self.expected:
            raise ArgumentError(f'{{{name}}} must not be empty')
        expected = self.expected or _KINDS.get(kind)
        try:
            converted = self.convert(value) if self.convert else _to(kind, value)
        except (TypeError, ValueError) as error:
            if expected is None:
                raise
            text = f'{{{name}}} must be %s, got %r'
            raise ArgumentError(text, expected, value) from error
        low, high = self.low, self.high
        if kind in (int, float) and not low <= converted <= high:
            limits = f'at least {low:g}' if high == inf else f'from {low:g} to {high:g}'
            unit = '' if self.metavar == 'N' else f' {self.metavar.lower()}'
            text = f'{{{name}}} must be {limits}{unit}, got %g'
            raise ArgumentError(text, converted)
        if self.choices:
            require_choice(name, converted, self.choices)
        return converted


def option(help: str, default: Any = None, **argument: Any) -> Any:
    """Declare a field with an :class:`Argument`; MISSING makes it required."""
    return field(default=default, metadata={'argument': Argument(help, **argument)})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all dataclasses with options: converts and checks their values.

    None stands for the default. Numbers and choices may be given as text. Fields that
    :func:`option` does not declare are settings for developers.
    """

    title: ClassVar[str] = ''  # section of the command line's help
    hint: ClassVar[str] = ''  # answer to the options where a call does not take them

    def __post_init__(self) -> None:
        """Convert and check the values."""
        for name, declared in options_of(type(self)).items():
            value = getattr(self, name)
            value = declared.default if value is None else value
            if value is not None:
                argument = declared.metadata['argument']
                value = argument.check(name, kind_of(declared), value)
            object.__setattr__(self, name, value)

    def is_given(self, name: str) -> bool:
        """Return whether an option is not the default."""
        return getattr(self, name) != options_of(type(self))[name].default

    def refuse(self, names: Iterable[str], reason: str) -> None:
        """Raise ArgumentError for an option of these names that is not the default."""
        for name in sorted(names):
            if self.is_given(name):
                raise ArgumentError(f'{{{name}}} %s', reason)


def options_of(*kinds: type[Options]) -> dict[str, Field]:
    """Return the options of dataclasses by name, each once, in their order."""
    declared: dict[str, Field] = {}
    for kind in kinds:
        for option_field in fields(kind):
            if 'argument' in option_field.metadata:
                declared.setdefault(option_field.name, option_field)
    return declared


class Values:
    """What a user stated, distributed to the dataclasses that take part in a call.

    ``stated`` has the values by name; those of :data:`RENAMED` get their names of
    today. A name that no dataclass has is a TypeError with the nearest one.
    """

    def __init__(
        self, stated: Mapping[str, Any], kinds: Sequence[type[Options]]
    ) -> None:
        self.kinds, declared = tuple(kinds), options_of(*kinds)
        self.stated: dict[str, Any] = {}
        for name, value in stated.items():
            new = RENAMED.get(name, name)
            if name not in declared and new in declared:
                text = f'{name!r} is the name of {{{new}}} in mmhot 0.2, ends with 0.4'
                _LOGGER.warning(ArgumentError(text))
                name = new
            if name not in declared:
                hint = _hint_elsewhere(name, Options) or did_you_mean(name, declared)
                raise TypeError(f'unexpected keyword argument {name!r}{hint}')
            self.stated[name] = value
        self._built: dict[type[Options], Any] = {}
        for kind in kinds:
            self.of(kind)

    @property
    def files(self) -> list[Path]:
        """Existing files that the values name."""
        names = (x for x in self.stated.values() if isinstance(x, str | Path))
        # isfile is False for names that are too long
        return [Path(name) for name in names if os.path.isfile(name)]

    def of(self, kind: type[T]) -> T:
        """Return the values of a dataclass."""
        if kind not in self._built:
            names = options_of(kind).keys() & self.stated.keys()
            self._built[kind] = kind(**{name: self.stated[name] for name in names})
        return self._built[kind]


def _hint_elsewhere(name: str, kind: type[Options]) -> str:
    """Return the hint of a class of options, or of one derived, that has an option."""
    if name in options_of(kind) and kind.hint:
        return f': {kind.hint}'
    hints = (_hint_elsewhere(name, derived) for derived in kind.__subclasses__())
    return next(filter(None, hints), '')


def takes(*kinds: type[Options]) -> Callable[[Function], Function]:
    """Show the options of dataclasses, in place of ``**options``, in a function's help.

    This is for ``help(mmhot.infer)`` and completion; the function is not changed.
    """

    def show(function: Function) -> Function:
        plain = signature(function)
        parameters = [
            parameter
            for parameter in plain.parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        lines = [getdoc(function) or '', '', 'Options:']
        for name, declared in options_of(*kinds).items():
            parameter = Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=declared.default,
                annotation=declared.type,
            )
            parameters.append(parameter)
            lines.append(f'    {name}: {declared.metadata["argument"].python_help}')
        vars(function)['__signature__'] = plain.replace(parameters=parameters)
        function.__doc__ = '\n'.join([*lines, ''])
        return function

    return show


def kind_of(declared: Field) -> type:
    """Return the type of an option's value, without ``| None``."""
    return (get_args(declared.type) or (declared.type,))[0]


def _to(kind: type, value: Any) -> Any:
    """Convert text or a value to a plain type, without rounding."""
    if kind in (str, Path) and not isinstance(value, str | Path):
        raise TypeError
    # converted, 'no' would be true, and True 1; NumPy has a bool of its own
    if (type(value).__name__ in ('bool', 'bool_')) != (kind is bool):
        raise TypeError
    if kind is int and not isinstance(value, str):
        return operator.index(value)
    try:
        return kind(value)
    except OverflowError as error:  # of large integers
        raise ValueError(str(error)) from error


def read_numbers(value: Any, kind: type = float, sign: str = ',') -> list:
    """Read numbers: one, a sequence, or text such as '1,0.5'."""
    parts = value.split(sign) if isinstance(value, str) else value
    try:
        parts = [*parts]
    except TypeError:  # also an array without axes
        parts = [parts]
    return [_to(kind, part) for part in parts]


def split_names(value: Any) -> tuple[str, ...]:
    """Split names: a list, or text such as 'npz,mp4'; each is returned once."""
    parts = value.split(',') if isinstance(value, str) else value
    return tuple(dict.fromkeys(str(part).strip() for part in parts))


def read_names(
    name: str, value: Any, choices: Iterable[str], hints: Mapping[str, str] = {}
) -> tuple[str, ...]:
    """Read the names of an option: a list, or text such as 'npz,mp4'.

    ``hints`` answer other names.
    """
    names = split_names(value)
    for part in names:
        if part not in choices:
            hint = hints.get(part, did_you_mean(part, choices))
            text = f'{{{name}}} must be among %s; got %r%s'
            raise ArgumentError(text, ','.join(choices), part, hint)
    return names


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Options):
    """Option of all that runs a model."""

    device: str = option(
        'auto (the GPU if there is one), cpu, cuda or cuda:N',
        'auto',
        metavar='NAME',
        decides=False,
    )


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions(DeviceOptions):
    """Options of models that ONNX Runtime or PyTorch runs."""

    title = 'runtime'

    backend: str = option(
        'runtime of the models: torch, onnx (ONNX Runtime, for shipped and exported '
        'models), or auto: torch if installed, but onnx for exported models and, on a '
        'CPU, shipped lifters',
        'auto',
        choices=BACKENDS,
        decides=False,
    )
