"""Builders and rules shared by all tests."""

import os

# One thread a process: the tests are small, and machines are shared.
os.environ.setdefault('OMP_NUM_THREADS', '1')

_left_out = []


def pytest_deselected(items):
    """Remember which slow tests were left out."""
    _left_out.extend(item for item in items if item.get_closest_marker('slow'))


def pytest_terminal_summary(terminalreporter):
    """Name the slow tests that were left out, with the reasons they give."""
    if not _left_out:
        return
    terminalreporter.section(f'left out: {len(_left_out)} slow, see make test-all')
    for item in _left_out:
        reason = item.get_closest_marker('slow').kwargs.get('reason', 'takes long')
        terminalreporter.write_line(f'{item.nodeid}: {reason}')
