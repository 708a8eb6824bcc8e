"""Benchmarks: cost, names of models, interleaved timing, record and page."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from mmhot.weights.names import find_config
from tools.analysis.cost import count_cost
from tools.benchmark import models, page, record
from tools.benchmark.launches import count_launches
from tools.benchmark.model_specs import MODELS, build_spec, parse_spec
from tools.benchmark.timing import Times, compare, time_in_turns

ROOT = Path(__file__).parents[2]


class FakeClock:
    """A clock that its tasks advance."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def task(self, seconds):
        """A call that takes the next of the given durations."""
        durations = iter(seconds)
        return lambda: setattr(self, 'now', self.now + next(durations))


# Multiply-accumulates of the specification, in millions: all, graphs, attention. It
# counts the diagonal of graphs as a matrix, but not the cosine transform.
SPECIFIED = {
    'htnet': {'all': 37.9, 'graphs': 0.81, 'attention': 0.14},
    'nanohtnet-243-9': {'all': 29.0, 'graphs': 1.05, 'attention': 0.20, 'dct': 0.07},
    'nanohtnet-243-27': {'all': 52.4, 'graphs': 3.01, 'attention': 0.66, 'dct': 0.22},
}


@pytest.mark.parametrize('name', SPECIFIED)
def test_cost_of_published_lifters_is_as_specified(name):
    spec = {'dct': 0, **SPECIFIED[name]}
    built = build_spec(parse_spec(name))
    cost = count_cost(built.model, built.inputs(1), None, mode='tensor')
    own = spec['graphs'] / 2
    total = spec['all'] - own + spec['dct']
    assert cost.macs / 1e6 == pytest.approx(total, abs=0.06)
    products = own + spec['attention'] + spec['dct']
    assert cost.product_macs / 1e6 == pytest.approx(products, abs=0.02)


def test_cost_of_mmposes_lifter_is_as_published():
    spec = build_spec(parse_spec('tcn-243'))
    cost = count_cost(spec.model, spec.inputs(1), None, mode='tensor')
    assert cost.macs / 1e6 == pytest.approx(176, abs=0.5)
    assert cost.product_macs == 0


def test_turn_is_the_median_of_its_calls():
    clock = FakeClock()
    # two to warm up and one to choose the number of calls come first
    quick = clock.task([9, 9, 1, 1, 5, 1, 1, 1, 1, 7, 8, 9])
    slow = clock.task([9, 9, 10, 4, 6, 8])
    done = []
    times = time_in_turns(
        {'quick': quick, 'slow': slow},
        rounds=3,
        seconds=3,
        clock=clock,
        progress=lambda: done.append(clock.now),
    )
    assert times == {'quick': Times([1, 1, 8], best=1), 'slow': Times([4, 6, 8], 4)}
    assert len(done) == 6


def test_ratios_compare_turns_of_the_same_round():
    # both become twice as slow; only the third round differs
    ratio = compare(Times([1, 1, 4, 2, 2], 0.9), Times([2, 2, 4, 4, 4], 1))
    assert (ratio.median, ratio.low, ratio.high) == (0.5, 0.5, 0.5)
    assert ratio.best == 0.9
    ratio = compare(Times([1, 2, 3, 4, 5], 1), Times([1, 1, 1, 1, 1], 1))
    assert (ratio.low, ratio.median, ratio.high, ratio.best) == (2, 3, 4, 1)
    ratio = compare(Times([3], 3), Times([2], 2))
    assert ratio.low == ratio.median == ratio.high == 1.5


@pytest.mark.parametrize('name', [name for name in MODELS if 'dstformer' not in name])
def test_every_short_name_has_a_config(name):
    assert find_config(parse_spec(name).source).is_file()


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('rtmpose-t', (3, 256, 192)),
        ('simple-baseline-3d', (34, 1)),
        ('tcn-27', (34, 27)),
        ('htnet', (1, 17, 2)),
        ('dstformer-243:model.backbone.depth=1:model.backbone.seq_len=9', (9, 17, 3)),
    ],
)
@torch.inference_mode()
def test_models_run_on_inputs_of_their_configs(name, shape):
    spec = build_spec(parse_spec(name))
    assert spec.shape == shape
    output = spec(spec.inputs(2))
    output = output if isinstance(output, tuple) else (output,)
    assert all(len(part) == 2 and part.isfinite().all() for part in output)


def test_each_model_and_batch_size_has_a_row():
    names = ['simple-baseline-3d', 'tcn-27']
    rows = models.compare_models((1, 2), names, rounds=2, seconds=0)
    assert [(row['model'], row['batch']) for row in rows] == [
        (name, size) for name in names for size in (1, 2)
    ]
    assert [row['millions of operations'] for row in rows[1:3]] == [
        pytest.approx(x, rel=1e-3) for x in (4.278, 17.77)
    ]
    assert rows[0]['ratio']['median'] == rows[1]['ratio']['median'] == 1
    for row in rows:
        assert row['reference'] == 'simple-baseline-3d'
        assert row['ratio']['low'] <= row['ratio']['median'] <= row['ratio']['high']


@pytest.mark.slow(reason='exports a model')
def test_exported_models_compute_what_pytorch_does():
    pytest.importorskip('onnxscript')
    plain, exported = (
        build_spec(parse_spec(f'nanohtnet-81-9{option}')) for option in ('', ':onnx')
    )
    x = plain.inputs(2)
    with torch.no_grad():
        wanted = plain(x)
    (found,) = exported(x)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)


def test_views_and_empty_tensors_launch_nothing():
    x = torch.randn(3, 4)
    layer = torch.nn.Linear(4, 2)
    assert count_launches(lambda: x.t().reshape(2, 6)[0].unsqueeze(0)) == 1  # the copy
    assert count_launches(lambda: (torch.empty(2), x.detach().view(12))) == 0
    assert count_launches(lambda: layer(x).add_(1)) == 2
    forward = count_launches(lambda: layer(x).sum())
    assert forward == 2
    assert count_launches(lambda: layer(x).sum().backward()) > 2 * forward


def test_tables_of_the_docs_are_those_of_the_measurements():
    text = (ROOT / 'docs/benchmarks.md').read_text()
    document = json.loads((ROOT / 'docs/benchmarks.json').read_text())
    assert page.fill_tables(text, document) == text


RATIO = {'median': 0.523, 'low': 0.5, 'high': 0.561, 'best': 0.49}


def test_parts_are_recorded_and_written_into_the_page(tmp_path):
    file, text = tmp_path / 'a.json', tmp_path / 'a.md'
    file.write_text(json.dumps({'chain': 1, 'hourglasses': 2}))
    rows = [
        {
            'model': name,
            'reference': 'host',
            'batch': 1,
            'milliseconds': 1234.567,
            'ratio': RATIO,
            'millions of operations': 3.0,
        }
        for name in ('host', 'hot_9frm-keep3_x:model.backbone.b=4:onnx')
    ]
    args = Namespace(threads=2, rounds=5, note='busy')
    record.write_part(file, 'hourglasses', rows, args)
    document = json.loads(file.read_text())
    assert document.pop('chain') == 1
    part = document['hourglasses']
    assert (part['rounds'], part['machine']['threads']) == (5, 2)
    assert part['rows'][0]['milliseconds'] == 1235
    file.write_text(json.dumps(document))
    text.write_text('<!-- table: hourglasses -->\nold\n<!-- end -->\nText.\n')
    page.write_page(Namespace(file=file, page=text))
    lines = text.read_text().splitlines()
    assert 'old' not in lines
    assert lines[-1] == 'Text.'
    assert '| host | 1 | 3 | 1,235 |  |  |  |' in lines
    assert '| hot:onnx | 1 | 3 | 1,235 | 0.52 (0.50 to 0.56) | 0.49 | host |' in lines
    with pytest.raises(ValueError, match='the page has tables hourglasses, the file'):
        page.fill_tables(text.read_text(), {'other': part})


def test_the_tool_prints_and_writes_a_part(tmp_path, monkeypatch, capsys):
    from tools.benchmark import __main__ as tool

    out = tmp_path / 'a.json'
    argv = ['models', 'simple-baseline-3d', '--reference', 'tcn-27', '--rounds', '1']
    argv += ['--seconds', '0', '--out', str(out)]
    monkeypatch.setattr('sys.argv', ['benchmark', *argv])
    assert tool.main() == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ['tcn-27', 'simple-baseline-3d']
    assert [*json.loads(out.read_text())] == ['models']
    monkeypatch.setattr('sys.argv', ['benchmark', 'models', 'tcn-27', '--rounds', '0'])
    with pytest.raises(SystemExit):
        tool.main()
    assert '--rounds: 0 is not at least 1' in capsys.readouterr().err
