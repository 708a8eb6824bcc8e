"""Tables of papers from results of tools/test.py."""

import json

import pytest
from lifting_samples import h36m_samples, measure

from tools.test import as_dict

MEASURES = ['MPJPE', 'P-MPJPE', 'PCK@150']


def result(scale, dataset='gt', **settings):
    """Content of a results file, of predictions with scaled errors."""
    samples = [dict(each, dataset_name=dataset) for each in h36m_samples()]
    for each in samples:
        target, made = each['gt_instances']['lifting_target'], each['pred_instances']
        made['keypoints'] = target + scale * (made['keypoints'] - target)
    metric, metrics = measure(samples, measures=MEASURES, **settings)
    return {**metrics, 'errors': as_dict(metric.report)}


_ROW = {'overall': {'MPJPE': 1.0}, 'average': 'frames', 'frames': 3}


def _with(**settings):
    """A small file with some parts replaced."""
    errors = {'units': {'MPJPE': 'mm'}, 'higher_is_better': []}
    return {'errors': errors | {'datasets': {'gt': _ROW}} | settings}


@pytest.fixture
def make_table(tmp_path, tool_output):
    """Run the tool on results by file name; return its exit code, output and errors."""

    def run(results, *args):
        for name, content in results.items():
            (tmp_path / name).write_text(json.dumps(content))
        return tool_output('table', *(tmp_path / name for name in results), *args)

    return run


def test_rows_are_results_and_the_best_is_bold(make_table):
    good, bad = result(0.5), result(1)
    code, out, err = make_table({'good.json': good, 'bad.json': bad})
    assert (code, err) == (0, '')
    head, rule, *rows = out.splitlines()
    assert head == '| model | MPJPE (mm) | P-MPJPE (mm) | PCK@150 (%) |'
    assert rule == '| --- | ---: | ---: | ---: |'
    cells = [f'{good[name]:.1f}' for name in MEASURES]
    assert rows[0] == f'| good | **{"** | **".join(cells)}** |'
    cells = [f'{bad[name]:.1f}' for name in MEASURES]
    assert rows[1] == f'| bad | {" | ".join(cells)} |'


def test_latex_has_escaped_names(make_table):
    results = {'a.json': result(0.5), 'b.json': result(0.8, 'noisy_2D')}
    args = ['--names', 'A & B', '50 %', '--measures', 'MPJPE', '--latex']
    code, out, _ = make_table(results, *args)
    assert code == 0
    assert out.splitlines() == [
        r'\begin{tabular}{llr}',
        r'\toprule',
        r'dataset & model & MPJPE (mm) \\',
        r'\midrule',
        rf'gt & A \& B & {results["a.json"]["MPJPE"]:.1f} \\',
        rf'noisy\_2D & 50 \% & {results["b.json"]["MPJPE"]:.1f} \\',
        r'\bottomrule',
        r'\end{tabular}',
    ]


def test_means_over_different_frames_are_reported(make_table):
    results = {'a.json': result(1), 'b.json': result(1, average='frames')}
    code, _, err = make_table(results)
    assert code == 0
    assert 'results of a dataset are means over different frames or actions' in err


def test_costs_are_columns(make_table):
    cost = {'parameters': 1_234_000, 'macs': 56_700_000}
    results = {'a.json': _with() | {'cost': cost}, 'b.json': _with()}
    _, out, _ = make_table(results, '--cost')
    head, rule, *rows = out.splitlines()
    assert head == '| model | params (M) | MACs (G) | MPJPE (mm) |'
    assert rule.count('---:') == 3
    assert rows == ['| a | 1.23 | 0.0567 | **1.0** |', '| b | - | - | **1.0** |']
    cost |= dict(kept=[81, 27], milliseconds=8.04, time=[0.571, 0.55, 0.6], memory=7e6)
    results['a.json']['cost'] = cost
    head, _, row, _ = make_table(results, '--cost')[1].splitlines()
    assert '| MACs (G) | kept | ms | time | memory (MB) | MPJPE' in head
    assert row == '| a | 1.23 | 0.0567 | 27 | 8.04 | 0.571 | 7 | **1.0** |'
    _, out, _ = make_table(results, '--cost', '--latex')
    assert out.splitlines()[0] == r'\begin{tabular}{lrrrrrrr}'
