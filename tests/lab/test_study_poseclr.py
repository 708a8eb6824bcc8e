"""Table of the study of PoseCLR."""

import json
import subprocess
import sys

from tools.lab.study_poseclr import summarize


def run_of(labels, seed, error, **more):
    errors = dict(S1={'MPJPE': error, 'P-MPJPE': 9.0}, S2={'MPJPE': 30, 'P-MPJPE': 7.0})
    run = dict(model='m', labels=labels, seed=seed, steps=5, errors=dict(gt=errors))
    return run | more


RUNS = [
    run_of('one', 0, 10.0),
    run_of('one', 1, 20.0),
    run_of('one', 0, 12.0, pretraining='p'),
]


def test_seeds_are_averaged():
    head, random, pretrained = summarize(RUNS, 'gt')
    assert head == ('labels', 'start', 'rate', 'steps', 'seeds', 'S1', 'S2', 'mean')
    errors = ('15.0 +- 5.0 / 9.0 +- 0.0', '30.0 +- 0.0 / 7.0 +- 0.0')
    assert random == (
        'one',
        'random',
        'config',
        '5',
        '2',
        *errors,
        '22.5 +- 2.5 / 8.0 +- 0.0',
    )
    assert pretrained[:5] == ('one', 'p', 'config', '5', '1')
    assert pretrained[5] == '12.0 +- 0.0 / 9.0 +- 0.0'


def test_table_is_printed(tmp_path):
    path = tmp_path / 'runs.json'
    path.write_text(json.dumps(dict(runs=RUNS)))
    command = [sys.executable, '-m', 'tools.lab.study_poseclr', 'table', path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == 'm, 2D: gt; MPJPE / P-MPJPE in mm'
