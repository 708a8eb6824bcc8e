"""Error messages of one line: wrong arguments, unreadable files, similar names."""

import csv
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib import import_module
from importlib.machinery import PathFinder
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from traceback import walk_tb
from types import ModuleType
from typing import TypeVar
from urllib.parse import urlsplit

_LOGGER = logging.getLogger(__name__)
T = TypeVar('T')
# Control characters, line separators, marks that reverse the direction of text, and
# surrogates, which stand for invalid bytes of file names.
_UNPRINTABLE = re.compile('[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_MAX_LINE = 1000  # characters; longer messages lose their middle
_MAX_NAMES = 6  # known names that a message lists if none is similar to a wrong name
_MAX_NAME = 100  # characters of a wrong name that are compared with known names
MMPOSE = 'mmpose==1.3.2'
"""Requirement that pip installs without its dependencies."""
# Packages that only the extra `mmpose` installs; if one is missing, a message says how
_MMPOSE_PACKAGES = ('torch', 'mmengine', 'mmpose', 'mmdet', 'mmcv')
# PyTorch adds the traceback of a data loader's process to the message.
_IN_WORKER = re.compile(r'Caught \w+ in DataLoader worker.*^[\w.]+: (.*)', re.S | re.M)
_NO_MEMORY = 'this needs more memory than there is; a smaller batch needs less'
_NO_IMAGE = '{}: missing, or cannot be read as an image'
_REFUSED = (
    'checkpoint refused: it holds {}, and only tensors, NumPy arrays and plain '
    'containers are loaded, because other pickled objects can run any code'
)
DAMAGED_CHECKPOINT = 'not a checkpoint, or a damaged one: torch.load cannot read it'
# Faults of the input or the machine that other packages describe only in words: class
# of the error, pattern of its words, and our explanation, where {} is the group of the
# pattern. The table is here and not with the commands because results of many clips and
# the cache need it, too.
_EXPLANATIONS = (
    (MemoryError, '', _NO_MEMORY),
    # PyTorch; errors of users' steps have the same words, and keep the step's name
    (RuntimeError, 'out of memory', _NO_MEMORY),
    (Exception, "can't allocate memory", _NO_MEMORY),  # PyTorch
    (Exception, 'Insufficient memory', _NO_MEMORY),  # OpenCV
    (Exception, 'Failed to allocate memory|bad_alloc', _NO_MEMORY),  # ONNX Runtime
    (Exception, r'(?s)occurs when loading `(.*?)`\.', _NO_IMAGE),  # MMPose
    (Exception, r'failed to load image: ([^\s`]+)', _NO_IMAGE),  # MMCV
    (AssertionError, r'(?s)(.*not exist.*)', '{}'),  # MMPose: files of datasets
    (ImportError, r'(?s)(.*"pip .*)', '{}'),  # MMEngine: what a config names, as wandb
    (KeyError, r'(\w+ is already registered in .*[^\'"])', '{}: choose another name'),
    (UnpicklingError, r'GLOBAL (\S+)', _REFUSED),
    (UnpicklingError, '', DAMAGED_CHECKPOINT),
)
# Errors that files with unexpected types or depths raise; RuntimeError is h5py's
_UNEXPECTED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError),
    *(TypeError, csv.Error),
)
TRACEBACK = 'MMHOT_DEBUG=1 shows the traceback'


class ArgumentError(ValueError):
    """Wrong argument of a function, or wrong option of a command.

    It is made from a text and the values of its ``%s``, as the messages of loggers. In
    the text, ``{fov}`` stands for the name of an argument, and ``{keep=%r}`` for its
    name and value. Python shows the name, the command line its flag:

    >>> error = ArgumentError('{fov} must be at least 1, got %s', 0)
    >>> str(error)
    'fov must be at least 1, got 0'
    >>> error.named({'fov': '--fov'})
    '--fov must be at least 1, got 0'
    """

    def __str__(self) -> str:
        return self.named({})

    def named(self, flags: Mapping[str, str]) -> str:
        """Return the message with flags in place of names of arguments.

        Args:
            flags (Mapping[str, str]): Flags by name of the argument; other arguments
                keep their names.
        """

        def show(place: re.Match) -> str:
            name, sign, value = place.groups()
            if name not in flags:
                return f'{name}{sign}{value}'
            value = value.strip("'").replace('%r', '%s')
            return f'{flags[name]} {value}' if sign else flags[name]

        text, *values = self.args
        shown = (x.named(flags) if isinstance(x, ArgumentError) else x for x in values)
        return re.sub(r'{(\w+)(=?)([^}]*)}', show, text) % tuple(shown)


class StepError(ValueError):
    """Error of a user's code: a step, writer, reader, detector or 2D model.

    Its ``__cause__`` is the error as it was raised.

    Args:
        part (str): Name of the code, such as "the step 'confident'".
        error (Exception): Error that it raised.
    """

    def __init__(self, part: str, error: Exception) -> None:
        kind = type(error).__name__
        text = str(error)
        super().__init__(f'{part}: {kind}: {text}' if text else f'{part}: {kind}')


@contextmanager
def user_code(part: str) -> Iterator[None]:
    """Raise errors of a user's code in a block as :class:`StepError`.

    Args:
        part (str): Name of the code, such as "the step 'confident'".

    Raises:
        StepError: For any error but :class:`NothingToWriteError`, which stays.
    """
    try:
        yield
    except (StepError, NothingToWriteError):
        raise
    except Exception as error:
        raise StepError(part, error) from error


def require_signature(function: Callable[..., object], *names: str) -> None:
    """Raise TypeError if a function of a user cannot be called with some arguments.

    Args:
        function (Callable): The function.
        *names (str): What it is called with, by position.
    """
    try:
        with suppress(ValueError):  # some compiled functions have no signature
            signature(function).bind(*names)
    except TypeError as error:
        raise TypeError(f'must be called with ({", ".join(names)}): {error}') from error


class NothingToWriteError(ValueError):
    """Error of a writer: the clip has nothing to write, such as steps for gait."""


def escape(text: object, replacement: str | None = None) -> str:
    """Escape, or replace, the characters of a text that terminals do not show.

    Args:
        text (object): Text, or any object with a text.
        replacement (str, optional): Text in place of each of these characters. Defaults
            to their escape sequences.

    Returns:
        str: Printable text, in one line.

    >>> escape(chr(27) + '[31m', '?')
    '?[31m'
    """

    def code(sign: re.Match) -> str:
        return sign[0].encode('unicode_escape').decode()

    return _UNPRINTABLE.sub(code if replacement is None else replacement, str(text))


@contextmanager
def ignored_warnings() -> Iterator[None]:
    """Ignore warnings in a block; mmhot logs its own ones."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def public_url(url: str) -> str:
    """Return an address without user, password and query, which may be secret.

    >>> public_url('rtsp://me:secret@camera.local/live?key=1')
    'rtsp://camera.local/live'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    return f'{parts.scheme}://{host}{parts.path}'


def one_line(text: object) -> str:
    """Return a text as one printable line; the middle of very long ones is cut."""
    line = escape(' '.join(str(text).split()))
    if len(line) > _MAX_LINE:
        half = _MAX_LINE // 2
        line = f'{line[:half]} [...] {line[-half // 2 :]}'
    return line


def align(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """Format rows of cells as a table with aligned columns.

    Args:
        lines (Sequence[Sequence[str]]): Rows with the same number of cells.
        left (int): Number of leading columns that are aligned left; the others are
            aligned right, as numbers are. Defaults to 1.

    Returns:
        str: Lines of the table.

    >>> print(align([('clip', 'frames'), ('walk', '98')]))
    clip  frames
    walk      98
    """
    columns = []
    for number, column in enumerate(zip(*lines, strict=True)):
        cells = [*map(escape, column)]
        width = max(map(len, cells))
        justify = str.ljust if number < left else str.rjust
        columns.append([justify(cell, width) for cell in cells])
    return '\n'.join('  '.join(row).rstrip() for row in zip(*columns, strict=True))


def refuse_lists_of_paths(name: str, source: object) -> None:
    """Raise a ValueError if an argument of one file names several files."""
    first = source[0] if isinstance(source, list | tuple) and source else None
    if isinstance(first, str | Path):
        raise ValueError(
            f'{name} must be one path, got a list: call once for each of its paths'
        )


def require_file(path: str | Path) -> Path:
    """Check that a path is an ordinary file: reading a pipe might never end.

    Returns:
        Path: The path.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is a folder, pipe, device or socket.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.exists():
        raise FileNotFoundError(f'{escape(path)} does not exist')
    kind = 'a folder' if path.is_dir() else 'a pipe, device or socket'
    raise ValueError(f'{escape(path)} is {kind}: a file is expected')


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Begin the errors of a block that reads a file with its path.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If its content is wrong, whichever error that raised.
    """
    if path.exists() and not path.is_dir():
        require_file(path)  # reading a pipe might never end
    name = escape(path)
    try:
        yield
    except ArgumentError as error:
        raise ArgumentError('%s: %s', name, error) from error
    except ValueError as error:
        text = one_line(error)
        # A nested reader may have named the file already, or a file in the folder.
        is_named = text.startswith((f'{name}: ', f'{name}{os.sep}'))
        raise ValueError(text if is_named else f'{name}: {text}') from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{name}: no such file or folder') from error
    except OSError as error:
        reason = one_line(error.strerror or error)
        raise OSError(f'{name}: cannot be read ({reason})') from error
    except KeyError as error:
        raise ValueError(f'{name}: lacks {one_line(error)}') from error
    except _UNEXPECTED as error:
        reason = one_line(f'{type(error).__name__}: {error}')
        raise ValueError(f'{name}: has an unexpected structure ({reason})') from error


def refuse_stated(**arguments: object) -> None:
    """Raise ArgumentError for the first argument that is given, that is, not None.

    Args:
        **arguments (object): Arguments that the file itself states, by name.
    """
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(f'{{{name}}} cannot be given: the file states it')


def choose(label: object, name: str, stated: T | None, given: T | None) -> T | None:
    """Return the given value or, if it is None, the one that a source states.

    Args:
        label (object): Name of the source, for the warning if both differ.
        name (str): Name of the value.
        stated (T | None): Value that the source states.
        given (T | None): Value that the user gives.
    """
    if given is not None and stated not in (None, given):
        _LOGGER.warning(
            '%s states %s %s; the given %s is used instead', label, name, stated, given
        )
    return stated if given is None else given


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a hint in parentheses at the most similar name; empty if none is similar.

    Args:
        given (str): Unknown name.
        known (Iterable[str]): Names that exist; leading dashes do not count.

    >>> did_you_mean('smoth', ['smooth', 'fov'])
    ' (did you mean smooth?)'
    """
    names = {name.lstrip('-'): name for name in known}
    text = str(given)[:_MAX_NAME].lstrip('-')
    longer = [name for name in names if text and name.startswith(text)]
    near = sorted(longer, key=len) or get_close_matches(text, names, n=1)
    return f' (did you mean {names[near[0]]}?)' if near else ''


NOTICE = 25
"""Level of lines that commands always print, as they state what is assumed."""


class LineHandler(logging.Handler):
    """Log handler that passes texts, or an :class:`ArgumentError`, to a function.

    Users must act on lines of the level WARNING; lines of the level INFO are notes.
    """

    def __init__(self, show: Callable[[ArgumentError | str, int], object]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the text of a record, or its :class:`ArgumentError`, and its level."""
        is_error = isinstance(record.msg, ArgumentError)
        self._show(record.msg if is_error else record.getMessage(), record.levelno)


def list_people(tracks: Iterable[int]) -> str:
    """Name people by their track IDs.

    >>> list_people([0]), list_people([2, 0, 1])
    ('person 0', 'people 0, 1, 2')
    """
    ids = sorted(tracks)
    return f'{"people" if len(ids) > 1 else "person"} {", ".join(map(str, ids))}'


def require_choice(
    name: str, given: object, known: Iterable[object], hints: Mapping[str, str] = {}
) -> None:
    """Raise ArgumentError if an argument is not one of the known values.

    Args:
        name (str): The argument.
        given (object): Its value.
        known (Iterable[object]): The values that are right.
        hints (Mapping[str, str]): Ends of the message for wrong values that people try,
            such as ``{'fbx': ': write glb, which Blender converts'}``.
    """
    if given not in known:
        listed = [str(choice) for choice in known]
        text = f'{{{name}}} must be one of %s, got %r%s'
        hint = hints.get(str(given), did_you_mean(str(given), listed))
        raise ArgumentError(text, ', '.join(listed), given, hint)


def hint_at_names(given: str, known: Iterable[str]) -> str:
    """Return :func:`did_you_mean`, or the first known names if none is similar."""
    names = list(known)
    first = ', '.join(names[:_MAX_NAMES])
    return did_you_mean(given, names) or f' (known: {first or "none"})'


def pip(action: str, *arguments: str) -> str:
    """Compose a shell command of pip for this Python, or of uv if it has no pip.

    Args:
        action (str): Command of pip, such as ``'install'``.
        *arguments (str): Its arguments; they are quoted.
    """
    python = shlex.quote(sys.executable)
    # A full search makes setuptools expect pip, so that importing it fails afterwards.
    if PathFinder.find_spec('pip') is None:
        return f'uv pip {action} --python {python} {shlex.join(arguments)}'
    return f'{python} -m pip {action} {shlex.join(arguments)}'


def install_extra(extra: str) -> str:
    """Compose the shell command that installs an optional extra of mmhot.

    Args:
        extra (str): Name of the extra, such as ``'mmpose'``.
    """
    # pip does not install MMPose with the extra, see docs/installation.md.
    more = f' && {pip("install", "--no-deps", MMPOSE)}' if extra == 'mmpose' else ''
    return f'in the clone of mmhot, {pip("install", f".[{extra}]")}{more}'


def import_extra(module: str, purpose: str, extra: str) -> ModuleType:
    """Import a module of an optional extra.

    Args:
        module (str): The module.
        purpose (str): What needs it, such as 'the format c3d'.
        extra (str): Extra of mmhot that installs it.

    Returns:
        ModuleType: The module.

    Raises:
        ValueError: If the import fails; names the command that installs the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        need = f'{purpose} needs {module} ({one_line(error):.100})'
        raise ValueError(f'{need}: {install_extra(extra)}') from error


def is_debugging() -> bool:
    """Return whether errors are raised with their traceback (``MMHOT_DEBUG=1``)."""
    return os.environ.get('MMHOT_DEBUG') == '1'


def explain(error: Exception) -> str | None:
    """Describe an error of the input or the machine in one line.

    Returns:
        str | None: Its cause, if it is known, or else its text; None for a bug of
        mmhot.
    """
    text = str(error) or type(error).__name__
    if worker := _IN_WORKER.search(text):
        text = worker[1]
    # A package that was compiled for another NumPy raises ValueError and other errors.
    places = (frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__))
    for kind, words, meaning in _EXPLANATIONS:
        if isinstance(error, kind) and (said := re.search(words, text)):
            return one_line(meaning.format(*said.groups()))
    if isinstance(error, ModuleNotFoundError) and error.name in _MMPOSE_PACKAGES:
        text = f'this needs {error.name}: {install_extra("mmpose")}'
    elif isinstance(error, ImportError) or '<module>' in places:
        text = (
            f'{text}: run `mmhot doctor`, which names what is missing or broken, and '
            'how to repair it'
        )
    elif isinstance(error, OSError) and error.strerror:
        file = '' if error.filename is None else f'{escape(error.filename)}: '
        text = f'{file}{error.strerror}'
    elif any(isinstance(x, StepError) for x in (error, error.__cause__)):
        text = f'{text} ({TRACEBACK})'
    elif not isinstance(error, ValueError | OSError):
        return None
    return one_line(text)
