"""Progress where stderr is no terminal: a line now and then."""

import errno
import io
import sys

import pytest

from mmhot.apis import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr(progress, 'time', Clock)
    return Clock


def test_long_stage_has_a_line_every_30_seconds_and_one_at_its_end(clock, capsys):
    with progress.text_bar('walk: 2D') as show:
        for frame in range(1, 71):
            clock.now += 1
            show(frame, 70)
    assert capsys.readouterr().err.splitlines() == [
        'walk: 2D: 30 of 70 frames in 30 s',
        'walk: 2D: 60 of 70 frames in 60 s',
        'walk: 2D: 70 of 70 frames in 70 s',
    ]


def test_short_stage_has_no_line(clock, capsys):
    with progress.text_bar('walk: 3D') as show:
        show(4, 4)
        clock.now = 4.9
    assert capsys.readouterr() == ('', '')


def test_each_stage_ends_when_the_next_begins(clock, capsys):
    with progress.stage_bars(progress.text_bar, 'walk') as show:
        for stage, seconds in (('2D', 20), ('track', 1), ('3D', 12)):
            for done in (1, 2):
                clock.now += seconds / 2
                show(stage, done, 0)
    assert capsys.readouterr().err.splitlines() == [
        'walk: 2D: 2 frames in 10 s',
        'walk: track: 2 frames in 6 s',
        'walk: 3D: 2 frames in 6 s',
    ]


def test_full_stderr_does_not_stop_the_work(clock, monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(sys, 'stderr', Full())
    with progress.text_bar('walk: 2D') as show:
        clock.now = 31
        show(1, 2)
