"""Progress bars: on terminals at once, elsewhere for long stages only."""

import pytest

from mmhot import progress


@pytest.mark.parametrize('is_terminal', [True, False])
def test_short_stages_have_a_bar_on_terminals_only(is_terminal, monkeypatch, capsys):
    monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal)
    with progress.text_bar('walk: 3D') as show:
        show(4, 4)
    assert ('walk: 3D' in capsys.readouterr().err) == is_terminal


def test_processes_without_stderr_have_no_bar(monkeypatch):
    monkeypatch.setattr('sys.stderr', None)
    with progress.text_bar('walk: 3D') as show:
        show(4, 4)


def test_each_stage_ends_when_the_next_begins():
    events = []

    @progress.contextmanager
    def bar(title):
        events.append(title)
        yield lambda done, total: events.append((done, total))
        events.append(f'end of {title}')

    with progress.stage_bars(bar, 'walk') as show:
        show('2D', 1, 2)
        show('2D', 2, 2)
        show('3D', 2, 2)
    assert events == [
        *('walk: 2D', (1, 2), (2, 2), 'end of walk: 2D'),
        *('walk: 3D', (2, 2), 'end of walk: 3D'),
    ]
