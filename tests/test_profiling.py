"""Spans of a profile: nesting, threads, processor time, table and trace."""

import json
import threading
import time

import pytest

from mmhot.profiling import Profile, span


@span('double')
def double(value):
    with span('inner', items=2):
        return 2 * value


def test_nothing_is_recorded_without_a_profile():
    with Profile() as before:
        pass
    assert double(2) == 4
    assert before.spans == []


def test_own_time_excludes_spans_within():
    with Profile() as profile, span('outer'):
        assert double(double(1)) == 4
    stages = profile.stages()
    assert {name: stage.calls for name, stage in stages.items()} == {
        'outer': 1,
        'double': 2,
        'inner': 2,
    }
    assert stages['inner'].items == 4
    outer, doubles, inner = (stages[name] for name in ('outer', 'double', 'inner'))
    assert outer.own_seconds == pytest.approx(outer.seconds - doubles.seconds)
    assert doubles.own_seconds == pytest.approx(doubles.seconds - inner.seconds)
    total = sum(stage.own_seconds for stage in stages.values())
    assert total == pytest.approx(outer.seconds)


def test_waiting_takes_no_processor_time():
    with Profile() as profile, span('wait'):
        time.sleep(0.05)
    [wait] = profile.spans
    assert wait.cpu_seconds < 0.04 < wait.seconds


def test_spans_of_threads_do_not_nest_in_each_other():
    with Profile() as profile, span('main'):
        thread = threading.Thread(target=double, args=(1,), name='worker')
        thread.start()
        thread.join()
    assert {each.name: each.thread for each in profile.spans} == {
        'inner': 'worker',
        'double': 'worker',
        'main': 'MainThread',
    }
    main = profile.stages()['main']
    assert main.own_seconds == main.seconds


def test_spans_end_when_blocks_fail():
    with Profile() as profile, pytest.raises(KeyError), span('fails'):
        raise KeyError
    assert [each.name for each in profile.spans] == ['fails']


def test_only_one_profile_is_recorded_at_a_time():
    with Profile(), pytest.raises(RuntimeError, match='another profile is recorded'):
        Profile().__enter__()
    with Profile() as again:
        double(1)
    assert len(again.spans) == 2


def test_trace_has_complete_events_and_names_threads(tmp_path):
    with Profile() as profile:
        double(1)
    profile.save(tmp_path / 'trace.json')
    events = json.loads((tmp_path / 'trace.json').read_text())['traceEvents']
    named, *complete = events
    assert named['ph'] == 'M'
    assert named['args'] == {'name': threading.current_thread().name}
    assert [event['name'] for event in complete] == ['double', 'inner']
    outer, inner = complete
    assert {event['ph'] for event in complete} == {'X'}
    assert outer['tid'] == inner['tid'] == named['tid']
    assert outer['ts'] <= inner['ts']
    assert inner['ts'] + inner['dur'] <= outer['ts'] + outer['dur'] + 0.2
    assert inner['args']['items'] == 2
