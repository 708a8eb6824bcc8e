"""Messages of one printable, short line."""

import os
from pathlib import Path

import pytest

from mmhot.errors import escape, naming, one_line, require_file


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('Müller “1”.mp4', 'Müller “1”.mp4'),
        ('a\x1b[31mb', 'a\\x1b[31mb'),
        ('a\nb\tc', 'a\\nb\\tc'),
        (os.fsdecode(b'a\xffb'), 'a\\xffb'),
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
        (MemoryError(), 'MemoryError'),
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
