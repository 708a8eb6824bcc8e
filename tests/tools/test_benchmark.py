"""Benchmarks: names of models, interleaved timing, record and page; costs of papers."""

import math

import pytest
import torch
from paths import CONFIGS, DATA

from tools.benchmark import costs
from tools.benchmark.runnable_models import open_model
from tools.benchmark.timing import Times, compare, time_in_turns

SIMPLE = 'image-pose-lift_tcn_8xb64-200e_h36m'
XS = 'motionbert-xs_81frm_1xb8-10e_cmu-wild.py'
TCN = 'video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m'
DSTFORMER = 'motionbert_dstformer-243frm_8xb32-240e_h36m'


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


def test_turn_is_the_median_of_its_calls():
    clock = FakeClock()
    # two to warm up and one to choose the number of calls come first
    quick = clock.task([9, 9, 1, 1, 5, 1, 1, 1, 1, 7, 8, 9])
    slow = clock.task([9, 9, 10, 4, 6, 8])
    times = time_in_turns(
        {'quick': quick, 'slow': slow}, rounds=3, seconds=3, clock=clock
    )
    assert times == {'quick': Times([1, 1, 8], best=1), 'slow': Times([4, 6, 8], 4)}


def test_ratios_compare_turns_of_the_same_round():
    # both become twice as slow; only the third round differs
    ratio = compare(Times([1, 1, 4, 2, 2], 0.9), Times([2, 2, 4, 4, 4], 1))
    assert (ratio.median, ratio.low, ratio.high) == (0.5, 0.5, 0.5)
    ratio = compare(Times([1, 2, 3, 4, 5], 1), Times([1, 1, 1, 1, 1], 1))
    assert (ratio.low, ratio.median, ratio.high) == (2, 3, 4)
    ratio = compare(Times([3], 3), Times([2], 2))
    assert ratio.low == ratio.median == ratio.high == 1.5


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('rtmpose-t_8xb256-420e_coco-256x192', (3, 256, 192)),
        (SIMPLE, (34, 1)),
        (TCN, (34, 27)),
        ('htnet_1frm_1xb512-15e_cmu', (1, 17, 2)),
        (f'{DSTFORMER}:model.backbone.depth=1:model.backbone.seq_len=9', (9, 17, 3)),
    ],
)
@torch.inference_mode()
def test_models_run_on_inputs_of_their_configs(name, shape):
    spec = open_model(name)
    assert spec.shape == shape
    output = spec.run(spec.inputs(2))
    output = output if isinstance(output, tuple) else (output,)
    assert all(len(part) == 2 and part.isfinite().all() for part in output)


@pytest.mark.slow(reason='exports a model')
def test_exported_models_compute_what_pytorch_does():
    pytest.importorskip('onnxscript')
    plain, exported = (open_model(f'nanohtnet{option}') for option in ('', ':onnx'))
    x = plain.inputs(2)
    with torch.no_grad():
        wanted = plain.run(x)
    (found,) = exported.run(x)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)


def test_the_tool_prints_a_part(run_tool):
    out = run_tool('__main__', 'models', TCN, SIMPLE, '--rounds', '1')
    names = [line.split()[1] for line in out.splitlines()[2:4]]
    assert names == ['video-pose-lift_tcn-27frm-supv', 'image-pose-lift_tcn']


def test_data_need_workers_that_make_samples_as_fast_as_they_are_used(run_tool):
    dataset = 'train_dataloader.dataset'
    options = (
        f'{dataset}.data_root={DATA / "cmu_mocap"} {dataset}.seq_len=27 '
        f'{dataset}.ann_file=cmu_h36m17.npz {dataset}.num_targets=27 '
        'model.backbone.num_frames=27 model.backbone.depth=1 '
        'train_dataloader.batch_size=2'
    )
    config = CONFIGS / 'body_3d_keypoint/motionbert/cmu_mocap' / XS
    out = run_tool(
        '__main__', 'data', config, '--rounds', '1', '--cfg-options', *options.split()
    )
    head, _, *rows = [
        [*map(str.strip, line.split('|'))][1:4]
        for line in out.splitlines()
        if line.startswith('|')
    ]
    assert head == ['one sample', 'ms', 'samples/s']
    *cells, (workers, _, _) = rows
    times = {name: float(ms) for name, ms, _ in cells}
    for name, _, rate in cells:
        assert float(rate.replace(',', '')) == pytest.approx(
            1000 / times[name], rel=0.01
        )
    *transforms, made, received, used = times.values()
    assert len(transforms) == 12
    assert 0.5 * made < sum(transforms) < 1.5 * made
    needed = math.ceil(made / max(received, used))
    assert workers == f'workers: {needed}, in the config 2'


PAGE = CONFIGS / 'README.md'


SLOW = pytest.mark.slow(reason='counts 35 networks, half a minute')
MODELS = [
    pytest.param(model, marks=SLOW if row % 12 else ())
    for row, model in enumerate(costs.read_papers())
]


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model.model)
def test_costs_are_those_of_the_paper_or_have_a_cause(model):
    count = costs.count_published(model)
    differences = (
        costs.difference(count.parameters, model.parameters),
        costs.difference(count.operations, model.operations),
    )
    is_far = max(map(abs, differences)) > costs.MOST
    assert is_far == bool(model.cause), differences
    lines = PAGE.read_text().splitlines()
    row = next(line for line in lines if f'| {model.model} |' in line)
    cells = [cell.strip() for cell in row.split('|')[1:-1]]
    assert cells[5:7] == [
        f'{count.whole_model.parameters / 1e6:.3g}',
        f'{count.whole_model.macs / 1e9:.3g}',
    ]
    assert cells[7] == model.cause
