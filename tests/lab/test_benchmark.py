"""Benchmark: cost of models, model specs, interleaved timing with a fake clock."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmhot.cli.report import align
from mmhot.evaluation.cost import Cost, count_cost
from mmhot.weights.config_files import find_config
from tools.lab.benchmark import timing
from tools.lab.benchmark.comparison import (
    Settings,
    as_table,
    compare_clips,
    compare_models,
    peak_memory,
)
from tools.lab.benchmark.model_specs import MODELS, ModelSpec, build_spec, parse_spec
from tools.lab.benchmark.timing import Times, as_clip_table, compare, time_in_turns

ROOT = Path(__file__).parents[2]
SMALL = {
    'model.backbone.embed_dims': '48',
    'model.backbone.depth': '1',
    'model.backbone.mlp_dims': '8',
    'model.backbone.graph_dims': '8',
    'model.head.in_channels': '16',
}


def small():
    """Spec of a shrunk NanoHTNet."""
    settings = [f'{key}={value}' for key, value in SMALL.items()]
    return parse_spec(':'.join(['nanohtnet-81-9', *settings]))


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


def test_cost_counts_weights_and_products():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 8)
            self.conv = nn.Conv1d(5, 4, 3)

        def forward(self, x, scale):
            x = self.linear(x).unflatten(-1, (2, 4)).transpose(1, 2)  # (1, 2, 5, 4)
            x = F.scaled_dot_product_attention(x, x, x) * scale
            return self.conv(x[:, 0])

    model = Model().train()
    model.linear.eval()
    cost = count_cost(model, torch.randn(1, 5, 6), scale=2)
    assert cost == Cost(
        parameters=6 * 8 + 8 + 5 * 4 * 3 + 4,
        weight_macs=5 * 6 * 8 + 5 * 4 * 3 * 2,
        product_macs=2 * (2 * 5 * 5 * 4),
    )
    assert cost.macs == cost.weight_macs + cost.product_macs
    assert model.training
    assert model.conv.training
    assert not model.linear.training


def test_cost_of_a_method_includes_the_models_parameters():
    linear = nn.Linear(3, 4)
    assert count_cost(linear.forward, torch.randn(2, 3)) == Cost(16, 24, 0)
    assert count_cost(lambda x: x @ x, torch.randn(3, 3)) == Cost(0, 27, 0)


def test_cost_counts_products_that_are_added_in_place():
    x = torch.randn(2, 3, 3)
    assert count_cost(lambda: x.clone().baddbmm_(x, x)) == Cost(0, 0, 54)
    assert count_cost(lambda: x[0].clone().addmm_(x[1], x[1])) == Cost(0, 27, 0)


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


def test_rounds_interleave_calls_in_random_order():
    order = []
    calls = {name: (lambda name=name: order.append(name)) for name in 'abcd'}
    ticks = iter(range(1000))
    time_in_turns(calls, rounds=20, seconds=1, clock=lambda: next(ticks))
    rounds = [tuple(order[start : start + 4]) for start in range(12, len(order), 4)]
    assert len(rounds) == 20
    assert all(sorted(turns) == list('abcd') for turns in rounds)
    assert len(set(rounds)) > 5


def test_ratios_compare_turns_of_the_same_round():
    # both become twice as slow; only the third round differs
    ratio = compare(Times([1, 1, 4, 2, 2], 0.9), Times([2, 2, 4, 4, 4], 1))
    assert (ratio.median, ratio.low, ratio.high) == (0.5, 0.5, 0.5)
    assert ratio.best == 0.9
    ratio = compare(Times([1, 2, 3, 4, 5], 1), Times([1, 1, 1, 1, 1], 1))
    assert (ratio.low, ratio.median, ratio.high, ratio.best) == (2, 3, 4, 1)
    ratio = compare(Times([3], 3), Times([2], 2))
    assert ratio.low == ratio.median == ratio.high == 1.5


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')
def test_peak_memory_counts_temporary_tensors():
    peak = peak_memory(lambda: torch.ones(2**23).sum(), 'cpu')
    # the kernel counts pages in batches
    assert 0.95 * 2**25 < peak < 1.2 * 2**25


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a/b.py', ModelSpec('b', 'a/b.py')),
        ('mmpose::c/d.py', ModelSpec('d', 'mmpose::c/d.py')),
        ('mmhot://e', ModelSpec('e', 'mmhot://e')),
        (
            'tcn-27:folded',
            ModelSpec('tcn-27:folded', MODELS['tcn-27'], options=('folded',)),
        ),
        (
            'x.py:channels_last:model.a=[1,2]:input=(3,4)',
            ModelSpec(
                'x.py:channels_last:model.a=[1,2]:input=(3,4)',
                'x.py',
                (('model.a', '[1,2]'),),
                (3, 4),
                ('channels_last',),
            ),
        ),
    ],
)
def test_rows_are_read_as_written(text, expected):
    assert parse_spec(text) == expected
    assert hash(parse_spec(text)) == hash(expected)


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


def test_a_row_may_change_settings_shape_and_memory_format():
    built = build_spec(
        parse_spec('rtmpose-t:channels_last:model.head.final_layer_kernel_size=3')
    )
    assert built.inputs(2).is_contiguous(memory_format=torch.channels_last)
    assert built.model.head.final_layer.kernel_size == (3, 3)
    built = build_spec(parse_spec('tcn-27:input=(34,33)'))
    assert built.inputs(2).shape == (2, 34, 33)


@torch.inference_mode()
def test_a_row_may_ask_for_the_center_frame():
    sizes = 'model.backbone.embed_dims=16:model.head.in_channels=16'
    sizes += ':model.backbone.num_heads=2:model.backbone.mlp_dims=32'
    built = build_spec(parse_spec(f'mixste-243:{sizes}:model.backbone.depth=2:center'))
    inputs = built.inputs(1)
    center = built(inputs)
    assert center.shape == (1, 1, 17, 3)
    whole = built.model(inputs)
    torch.testing.assert_close(center, whole[:, 121:122], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('tcn-27:center', 'center is for lifters of sequences'),
        ('tcn-72', r'unknown model tcn-72: .*did you mean tcn-27\?'),
        ('tcn-27:flded', "tcn-27:flded: unknown option 'flded'"),
        ('tcn-27:input=(a,b)', r'input=\(a,b\): must be a shape like'),
        ('no.py', 'no.py: no such config file'),
        ('mmposes::a.py', "no package 'mmposes' is installed"),
        ('mmpose::a/tcn-27.py', 'mmpose has no config a/tcn-27.py'),
        ('mmhot://nothing', 'unknown weights: mmhot://nothing'),
        ('tcn-27:model.backbone.blocks=2', 'tcn-27.*cannot be built: .*blocks'),
        ('tcn-27:model.backbone.type.a=2', 'tcn-27:model.backbone.type.a=2: '),
        ('tcn-27:channels_last', 'channels_last is for images'),
        ('nanohtnet-81-9:onnx:folded', 'onnx takes no other option of speed'),
        ('tcn-27:folded:openvino', 'openvino takes no other option of speed'),
    ],
)
def test_wrong_rows_are_refused_in_one_line(text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        build_spec(parse_spec(text))
    assert len(str(error.value).splitlines()) == 1


def test_wrong_input_shape_is_refused():
    spec = parse_spec('tcn-27:input=(33,27)')
    with pytest.raises(ValueError, match=r'does not run on an input of shape \(33, 27'):
        compare_models([spec], spec, Settings(rounds=1, memory=False))


def test_comparison_has_a_line_for_each_model_and_batch_size():
    specs = [parse_spec('tcn-27'), small()]
    settings = Settings((1, 2), rounds=2, seconds=0, memory=False)
    results = compare_models(specs, specs[0], settings)
    assert [result.spec for result in results] == specs
    assert [result.output_frames for result in results] == [1, 9]
    # each frame is in nine windows
    assert [result.clip_frames for result in results] == [1, 1]
    assert results[0].measurements[1].ratio.median == 1
    assert all(
        len(x.times.turns) == 2 for result in results for x in result.measurements
    )
    header, *lines = as_table(results)
    assert [line[:2] for line in lines] == [
        [spec.name, size] for size in ('1', '2') for spec in specs
    ]
    cells = dict(zip(header, lines[1], strict=True))
    assert cells['params M'] == f'{results[1].cost.parameters / 1e6:.2f}'
    assert cells['memory MB'] == '-'
    frame, clip = int(cells['us/frame']), int(cells['us/clip frame'])
    assert clip == pytest.approx(9 * frame, abs=5)


def test_clip_frames_are_the_stride_between_windows():
    sizes = dict(num_frames=27, embed_dims=8, mlp_dims=8, depth=2)
    tiny = [f'model.backbone.{key}={value}' for key, value in sizes.items()]
    tiny.append('model.head.in_channels=8')
    pruned = [f'model.backbone.pruner.{each}' for each in ('depth=1', 'num_keep=9')]
    specs = [
        parse_spec(':'.join(['mixste-243', *tiny])),
        parse_spec(':'.join(['hot-mixste-243', *tiny, *pruned])),
        parse_spec(':'.join(['tpc-mixste-243', *tiny, *pruned])),
    ]
    settings = Settings(rounds=1, seconds=0, memory=False)
    results = compare_models(specs, specs[0], settings)
    assert [result.output_frames for result in results] == [27, 27, 1]
    # chunks overlap by four ninths
    assert [result.clip_frames for result in results] == [15, 15, 1]


def test_clips_are_lifted_at_the_usual_stride_and_at_one(monkeypatch):
    sizes = dict(num_frames=9, embed_dims=8, mlp_dims=8, depth=1)
    tiny = [f'model.backbone.{key}={value}' for key, value in sizes.items()]
    spec = parse_spec(':'.join(['mixste-243', *tiny, 'model.head.in_channels=8']))
    settings = Settings((4,), rounds=2, clip=21)
    lifted = []
    lift_windows = timing.lift_windows

    def lift_and_record(*args):
        lifted.append([args[4], len(lift_windows(*args)[0])])

    monkeypatch.setattr(timing, 'lift_windows', lift_and_record)
    (result,) = compare_clips([spec], settings)
    # once a turn, both strides, all frames
    assert sorted(lifted) == [[1, 21], [1, 21], [5, 21], [5, 21]]
    assert (result.stride, result.frames, result.batch_size) == (5, 21, 4)
    expected = [
        a / b for a, b in zip(result.dense.turns, result.times.turns, strict=True)
    ]
    assert result.ratio.median == pytest.approx(sum(expected) / 2)
    line = dict(zip(*as_clip_table([result]), strict=True))
    assert line['frames/s'] == f'{21 / result.times.best:.1f}'
    assert line['ratio'] == f'{result.ratio.median:.1f}'


def test_clips_need_sequence_lifters():
    with pytest.raises(ValueError, match='tcn-27: --clip needs a sequence lifter'):
        compare_clips([parse_spec('tcn-27')], Settings(clip=9))


def test_tables_align_numbers_to_the_right():
    lines = align([['name', 'x'], ['a', '10.5'], ['longer', '1']]).splitlines()
    assert lines == ['name       x', 'a       10.5', 'longer     1']


def run_tool(monkeypatch, *args):
    path = ROOT / 'tools/lab/benchmark/__main__.py'
    spec = importlib.util.spec_from_file_location('tool_benchmark', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, args)])
    try:
        return tool.main()
    except SystemExit as stop:
        return stop.code


def test_tool_writes_and_prints_the_same_numbers(monkeypatch, capsys, tmp_path):
    out = tmp_path / 'speed.json'
    options = ('--rounds', 1, '--seconds', 0, '--no-memory', '--out', out)
    models = ('simple-baseline-3d', '--reference', 'tcn-27')
    assert run_tool(monkeypatch, *models, *options) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ['model', 'batch']
    assert [line.split()[0] for line in lines] == ['tcn-27', 'simple-baseline-3d']
    record = json.loads(out.read_text())
    assert record['reference'] == 'tcn-27'
    assert record['command'][1:4] == list(models)
    assert record['machine']['threads'] == record['settings']['threads'] == 1
    for model, line in zip(record['models'], lines, strict=True):
        measured = model['measurements'][0]
        assert f'{1e3 * measured["times"]["turns"][0]:.2f}' == line.split()[2]
        assert f'{measured["ratio"]["median"]:.3f}' == line.split()[3]
        cost = model['cost']
        assert cost['macs'] == cost['weight_macs'] + cost['product_macs']


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ([], 'name at least one MODEL'),
        (['tcn-27', '--batch', '0'], '--batch: 0 is not at least 1'),
        (['tcn-27', '--rounds', 'x'], "--rounds: invalid _positive value: 'x'"),
        (['tcn-27', '--device', 'tpu'], "device must be one of cpu, got 'tpu'"),
        (['tcn-27', '--reference', 'tcn'], 'unknown model tcn'),
        (['tcn-27', '--bacth', '1'], '--bacth'),
    ],
)
def test_wrong_arguments_get_one_line(monkeypatch, capsys, args, message):
    assert run_tool(monkeypatch, *args) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.slow(reason='starts processes that import MMPose')
def test_memory_is_measured_in_separate_processes():
    spec = parse_spec('tcn-27')
    settings = Settings((1, 64), rounds=1, seconds=0)
    (result,) = compare_models([spec], spec, settings)
    small, large = (measured.peak_memory for measured in result.measurements)
    weights = 4 * result.cost.parameters
    # 64 sequences of 9 hidden frames, 1024 channels
    assert 0.95 * weights < small < weights + 2**23
    assert weights + 64 * 9 * 1024 * 4 < large < weights + 2**26


@pytest.mark.slow(reason='exports a model')
@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_exported_models_compute_what_pytorch_does(runtime):
    pytest.importorskip('onnxscript')
    pytest.importorskip(runtime)
    plain, exported = (
        build_spec(parse_spec(f'nanohtnet-81-9{option}'))
        for option in ('', f':{runtime.removesuffix("runtime")}')
    )
    x = plain.inputs(2)
    with torch.no_grad():
        wanted = plain(x)
    (found,) = exported(x)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)
