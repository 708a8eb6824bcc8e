"""Messages of one printable, short line."""

import ast
import csv
import logging
import os
import pickle
import re
from importlib import import_module
from pathlib import Path

import pytest

from mmhot.errors import (
    ArgumentError,
    LineHandler,
    escape,
    naming,
    one_line,
    require_file,
)
from mmhot.options import Options, options_of

PACKAGE = Path(__file__).parents[1] / 'mmhot'
FLAGS = {'fov': '--fov', 'keep': '--keep', 'image_size': '--image-size'}


def option_names(part=Options):
    for name in 'cli.export', 'cli.ui', 'chain.calls':
        import_module(f'mmhot.{name}')
    return {*options_of(part)}.union(*map(option_names, part.__subclasses__()))


def raised_errors():
    """Yield the place, class, text and number of values of errors of the package."""
    for path in sorted(PACKAGE.rglob('*.py')):
        nodes = ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        known = [x for x in nodes if isinstance(x, ast.Assign | ast.Raise)]
        assigned = {}
        for node in sorted(known, key=lambda x: x.lineno):
            if isinstance(node, ast.Assign):
                assigned[ast.unparse(node.targets[0])] = node.value
            elif getattr(node.exc, 'args', None):
                text, *values = node.exc.args
                text = assigned.get(ast.unparse(text), text)
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                shown = (getattr(x, 'value', '?') for x in parts)
                literal = ''.join(x if isinstance(x, str) else '?' for x in shown)
                kind = ast.unparse(node.exc.func)
                yield f'{path.name}:{node.lineno}', kind, literal, len(values)


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('Müller “1”.mp4', 'Müller “1”.mp4'),
        ('a\x1b[31mb', 'a\\x1b[31mb'),
        ('a\nb\tc', 'a\\nb\\tc'),
        (os.fsdecode(b'a\xffb'), 'a\\udcffb'),
        ('a\u202eb\u2028c', 'a\\u202eb\\u2028c'),
    ],
)
def test_names_are_escaped(text, line):
    assert escape(text) == line
    assert line.isprintable()


def test_lines_of_a_message_are_joined_and_the_middle_of_long_ones_is_cut():
    assert one_line(' two\n\tlines \x1b') == 'two lines \\x1b'
    line = one_line('begin ' + 'x' * 10**7 + ' end')
    assert len(line) < 1000
    assert line.startswith('begin xxx')
    assert line.endswith('xxx end')


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (KeyError('width'), "lacks 'width'"),
        (TypeError('unhashable'), 'TypeError: unhashable'),
        (RecursionError(), 'RecursionError'),
        (RuntimeError('bad node'), 'RuntimeError: bad node'),  # h5py's
        (MemoryError(), 'MemoryError'),
        (csv.Error('field larger than field limit'), 'field larger'),
        (ZeroDivisionError('division by zero'), 'ZeroDivisionError: division by zero'),
        (FloatingPointError('underflow'), 'FloatingPointError: underflow'),
    ],
)
def test_structures_that_no_check_foresaw_are_errors_of_the_file(error, message):
    with (
        pytest.raises(ValueError, match=f'^a.json: .*{message}'),
        naming(Path('a.json')),
    ):
        raise error


def test_special_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path, message in (
        (tmp_path / 'pipe', 'is a pipe, device or socket'),
        (tmp_path, 'is a folder: a file is expected'),
    ):
        with pytest.raises(ValueError, match=message):
            require_file(path)
    with pytest.raises(FileNotFoundError, match=r'none\\n does not exist'):
        require_file(tmp_path / 'none\n')


@pytest.mark.parametrize(
    ('error', 'text', 'line'),
    [
        (ArgumentError('{fov} must be 1'), 'fov must be 1', '--fov must be 1'),
        (
            ArgumentError('{keep=%r} needs a pruner: %s has none', 9, 'a{fov}%s.pth'),
            'keep=9 needs a pruner: a{fov}%s.pth has none',
            '--keep 9 needs a pruner: a{fov}%s.pth has none',
        ),
        (
            ArgumentError('%s: %s', '{fov}', ArgumentError('give {image_size}')),
            '{fov}: give image_size',
            '{fov}: give --image-size',
        ),
        (ArgumentError("{keep='x'} and {a=1}"), "keep='x' and a=1", '--keep x and a=1'),
    ],
)
def test_arguments_are_named_by_flags(error, text, line):
    for same in error, pickle.loads(pickle.dumps(error)):
        assert (str(same), same.named(FLAGS)) == (text, line)


def test_warnings_name_options_as_errors_do():
    shown = []
    handler = LineHandler(lambda line, level: shown.append(line))
    for message in (ArgumentError('give {fov=%r}', 9), '{fov} is %s', 'fov=9'):
        record = logging.LogRecord('', logging.WARNING, '', 0, message, (), None)
        handler.emit(record)
    assert [x.named(FLAGS) for x in shown[:1]] == ['give --fov 9']
    assert shown[1:] == ['{fov} is %s', 'fov=9']


def test_lines_of_the_log_name_no_option_as_in_python():
    names = '|'.join(sorted(option_names()))
    for path in sorted(PACKAGE.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if '_LOGGER.' in ast.unparse(getattr(node, 'func', ast.Pass())):
                text = ast.unparse(node)
                if 'ArgumentError' not in text:
                    found = re.search(rf'\b({names})=[%\'"\d]', text)
                    assert not found, f'{path.name}:{node.lineno}: {found[0]}'


def test_the_name_of_a_file_keeps_the_arguments_of_its_errors():
    with (
        pytest.raises(ArgumentError, match=r'^{a}\.json: give fov$') as caught,
        naming(Path('{a}.json')),
    ):
        raise ArgumentError('give {fov}')
    assert caught.value.named(FLAGS) == '{a}.json: give --fov'


def test_errors_that_name_options_are_argument_errors():
    names = option_names()
    verbs = '=|:| must | needs? | does not | cannot '
    first = re.compile(rf'.*`-|({"|".join(names)})({verbs})')
    for place, kind, text, num_values in raised_errors():
        if kind == 'ArgumentError':
            assert text.count('%') == num_values, place
            assert {*re.findall(r'{(\w+)[=}]', text)} <= names, place
        elif kind == 'ValueError':
            assert not first.match(text), f'{place}: raise ArgumentError'
