"""Recorded benchmarks: parts in one JSON, tables and figure of docs, timed chains."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmhot.profiling import span
from tools.lab.benchmark import chain, draw, processes, record, whole_videos
from tools.lab.benchmark.chain import Chain, as_table, time_chains
from tools.lab.benchmark.hourglass_parts import measure_parts

ROOT = Path(__file__).parents[2]
RATIO = {'median': 0.523, 'low': 0.5, 'high': 0.561, 'best': 0.49}
PART = {
    'date': '2026-11-24',
    'machine': {
        'processor': 'Some(R) CPU',
        'cores': 4,
        'threads': 2,
        'load': 0.25,
        'torch': '2.1',
        'onnxruntime': '1.2',
        'note': 'shared',
        'openvino': '2026.4',
    },
    'rounds': 5,
}
ROWS = {
    'hourglasses': [
        {
            'model': name,
            'reference': 'host',
            'batch': 1,
            'milliseconds': 1234.5,
            'ratio': RATIO,
            'millions of operations': 3.0,
        }
        for name in ('host', 'hot_9frm-keep3_x:model.backbone.b=4:onnx')
    ],
    'pose models': [
        {
            'model': 'a:openvino:model.head.keep_rates=None',
            'reference': 'host',
            'batch': 1,
            'milliseconds': 9.0,
            'ratio': RATIO,
        }
    ],
    'chain': [
        {
            'chain': 'walk',
            'frames': 136,
            'people per frame': 1.0,
            'frames per second': 40.44,
            'decoded frames per second': 465.6,
            **{f'ratio to {name}': RATIO for name in chain.NETWORKS},
            'processor ratio to onnx': 1.731,
            'processor ratio to torch': None,
        }
    ],
    'memory': [{'frames': 90_000, 'people': 1, 'peak memory in MB': 812.4}],
}
DOCUMENT = {name: {**PART, 'rows': rows} for name, rows in ROWS.items()}


def test_tables_of_the_docs_are_those_of_the_measurements():
    page = (ROOT / 'docs/benchmarks.md').read_text()
    document = json.loads((ROOT / 'docs/benchmarks.json').read_text())
    assert draw.fill_tables(page, document) == page


def test_tables_are_replaced_and_other_text_stays():
    page = '# Title\n'
    for name in DOCUMENT:
        page += f'<!-- table: {name} -->\nold\n<!-- end -->\nText of {name}.\n'
    filled = draw.fill_tables(page, DOCUMENT)
    lines = filled.splitlines()
    assert 'old' not in filled
    assert lines[0] == '# Title'
    assert [f'Text of {name}.' in lines for name in DOCUMENT] == [True] * 4
    assert '| host | 1 | 1,234 |  |  |  |' in lines
    assert '| hot:onnx | 1 | 1,234 | 0.52 (0.50 to 0.56) | 0.49 | host |' in lines
    ratio = '0.52 (0.50 to 0.56)'
    assert f'| walk | 1.0 | 40.4 | 466 | {ratio} | 1.73 | {ratio} |  |' in lines
    assert '| frames | people | peak memory in MB |' in lines
    assert '| 90,000 | 1 | 812 |' in lines
    facts = '2026-11-24; 2 threads of 4 cores of an Some CPU; shared; load 0.2 at the '
    facts += 'end; 5 rounds; PyTorch 2.1; ONNX Runtime 1.2'
    assert (lines.count(f'{facts}.'), f'{facts}; OpenVINO 2026.4.' in lines) == (
        3,
        True,
    )
    assert f'| a:openvino:keep_rates=None | 1 | 9 | {ratio} | 0.49 | host |' in lines
    assert draw.fill_tables(filled, DOCUMENT) == filled
    other = '<!-- table: later -->\nold\n<!-- end -->\n'
    assert draw.fill_tables(page + other, DOCUMENT) == filled + other
    with pytest.raises(ValueError, match='the page has tables chain, the file'):
        draw.fill_tables('<!-- table: chain -->\n<!-- end -->\n', DOCUMENT)


def test_the_tool_writes_page_and_figure(monkeypatch, tmp_path):
    page, file, figure = (tmp_path / name for name in ('a.md', 'a.json', 'a.png'))
    page.write_text('<!-- table: hourglasses -->\n<!-- end -->\n')
    file.write_text(json.dumps({'hourglasses': DOCUMENT['hourglasses']}))
    monkeypatch.setattr(sys, 'argv', ['draw', *map(str, (file, page, figure))])
    draw.run(draw.parse_args())
    assert '| hot:onnx | 1 |' in page.read_text()
    assert figure.read_bytes()[:4] == b'\x89PNG'


def run_record(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', ['record', *map(str, args)])
    record.record(record.parse_args())


def test_parts_are_added_to_the_file(monkeypatch, tmp_path):
    groups = [((1, 2), ['simple-baseline-3d', 'tcn-27'])]
    measure = record.partial(record._models, groups)
    monkeypatch.setitem(record.PARTS, 'pose models', measure)
    monkeypatch.setattr(record, 'set_threads', lambda threads: None)
    file = tmp_path / 'a.json'
    file.write_text(json.dumps({'chain': 1, 'pose models': 2}))
    arguments = ('--only', 'pose models', '--rounds', 1, '--note', 'busy')
    run_record(monkeypatch, file, *arguments)
    document = json.loads(file.read_text())
    assert document['chain'] == 1
    part = document['pose models']
    assert (part['rounds'], part['machine']['note']) == (1, 'busy')
    rows = part['rows']
    assert [(row['model'], row['batch']) for row in rows] == [
        (name, size) for name in groups[0][1] for size in (1, 2)
    ]
    for row, reference in zip(rows, rows[:2] * 2, strict=True):
        ratio = row['milliseconds'] / reference['milliseconds']
        assert row['ratio']['median'] == pytest.approx(ratio, rel=1e-3)
        assert row['reference'] == 'simple-baseline-3d'
    assert [row['millions of operations'] for row in rows[1:3]] == [4.278, 17.77]


def test_parts_of_a_pass_add_up():
    small = ':' + ':'.join(
        f'model.backbone.{key}={value}'
        for key, value in dict(
            num_frames=27, embed_dims=16, depth=4, mlp_dims=8
        ).items()
    )
    small += ':model.head.in_channels=16'
    pruned = f'hot-mixste-243{small}:model.backbone.pruner.num_keep=9'
    rows = measure_parts([(f'mixste-243{small}', pruned)], rounds=2)
    assert {row['hourglass'] for row in rows} == {'hot-mixste-243'}
    *parts, whole = [
        [row[key] for key in ('M multiply-adds of the host', 'of the hourglass')]
        for row in rows
    ]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole)
    named = {row['part']: row for row in rows}
    # a third of the frames, with less than a third of the attention
    assert 0.2 < named['layers after']['ratio'] < 1 / 3
    assert named['tokens']['ratio'] == named['layers before']['ratio'] == 1
    assert named['pruning']['ratio'] == named['recovery']['ratio'] == ''
    assert named['recovery']['of the hourglass'] > 0
    assert named['all']['ms of the hourglass'] > 0


@pytest.mark.slow(reason='starts mmhot lift three times')
@pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')
def test_memory_and_time_of_long_files_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, '_LENGTHS', ((60, 1), (60, 2), (1500, 1)))
    monkeypatch.setattr(record, 'set_threads', lambda threads: None)
    run_record(monkeypatch, tmp_path / 'a.json', '--only', 'memory')
    rows = json.loads((tmp_path / 'a.json').read_text())['memory']['rows']
    assert [(row['frames'], row['people']) for row in rows] == [
        *((60, 1), (60, 2), (1500, 1))
    ]
    assert all(100 < row['peak memory in MB'] < 1000 for row in rows)
    assert rows[2]['processor seconds'] > rows[0]['processor seconds'] > 0.2


@pytest.mark.slow(reason='starts processes that import PyTorch')
@pytest.mark.skipif(sys.platform == 'win32', reason='needs os.wait4')
def test_startup_is_that_of_new_processes(tmp_path):
    args = SimpleNamespace(rounds=1)
    rows = {row['command']: row for row in processes.measure_startup(args, tmp_path)}
    assert {name: row['goal in s'] for name, row in rows.items()} == {
        'mmhot --help': 0.2,
        'mmhot lift': 4.0,
        'mmhot lift --backend torch': '',
        'mmhot lift, runtime alone': 1.5,
    }
    for row in rows.values():
        assert 0 < row['shortest'] <= row['median in s']
        assert row['processor seconds'] > 0
    # it imports MMPose, and nothing does without it
    torch = rows.pop('mmhot lift --backend torch')['processor seconds']
    assert torch > 1.5 * max(row['processor seconds'] for row in rows.values())


def test_the_runtime_alone_finds_no_pytorch(monkeypatch, tmp_path):
    words = processes._RUNTIME.replace('sys.exit(main', 'print(main')
    done = subprocess.run(
        [sys.executable, '-c', words, 'cost', 'gtpt-t'],
        capture_output=True,
        text=True,
    )
    assert done.stdout == '2\n'
    assert done.stderr.startswith('mmhot cost: error: this needs torch')


def test_commands_that_fail_are_named():
    with pytest.raises(ValueError, match='-c import nothing_here failed'):
        processes._Command((sys.executable, '-c', 'import nothing_here'))()


class Profiled(Chain):
    """A chain that burns known processor time in spans."""

    def __call__(self):
        self.frames = 4
        with span('2D'):
            with span('2D network'):
                burn(0.08)
            burn(0.02)
        with span('3D'):
            burn(0.04)
        burn(0.06)


def test_stages_are_processor_time_per_frame(monkeypatch, tmp_path):
    walk = ROOT / 'demo/walk.mp4'
    chains = [Profiled('walk', None, None, walk)]
    monkeypatch.setattr(whole_videos, '_chains', lambda args, folder: chains)
    monkeypatch.setattr(whole_videos, 'decode', lambda path: burn(0.02))
    (row,) = whole_videos.measure_stages(SimpleNamespace(rounds=3), tmp_path)
    assert row.pop('video') == 'walk'
    found = {stage: value for stage, value in row.items() if value}
    expected = {
        'decoding': 5,
        '2D network': 20,
        'people between detections': 5,
        'lifting': 10,
        'others': 10,  # 15 without decoding
        'all': 50,
    }
    assert found == pytest.approx(expected, abs=1)


def test_stages_of_the_table_are_spans_of_the_chain():
    sources = [path.read_text() for path in (ROOT / 'mmhot').rglob('*.py')]
    for names in whole_videos._STAGES.values():
        for name in names:
            used = (f"span('{name}'", f"measure('{name}')")
            assert any(text in source for source in sources for text in used), name


class Reader:
    """Stand-in of rtmlib's tracker: two people in every third frame."""

    def reset(self):
        self.frames = 0

    def __call__(self, image):
        assert image.shape == (720, 1280, 3)
        self.frames += 1
        poses = np.zeros((2 * (self.frames % 3 == 1), 17, 2))
        return poses, poses[..., 0]


def test_other_chains_count_frames_and_people():
    other = whole_videos._Rtmlib(
        'rtmlib', None, None, ROOT / 'demo/walk.mp4', tracker=Reader()
    )
    for _ in range(2):
        other()
        assert (other.frames, other.people) == (136, 92)


def test_rtmlib_needs_a_detector(tmp_path):
    args = SimpleNamespace(onnx=None, rtmlib=True, rounds=1)
    with pytest.raises(ValueError, match='--rtmlib needs --onnx'):
        whole_videos.measure_beside(args, tmp_path)


def burn(seconds):
    """Use a processor for some time of this process."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_ratios_of_chains_are_per_person_over_a_network(monkeypatch):
    class Slow(Chain):
        def __call__(self):
            burn(0.06)
            self.frames, self.people = 8, 32

    networks = {'onnx': 0.02, 'torch': 0.04}
    monkeypatch.setattr(chain, '_network_alone', lambda x: lambda: burn(networks[x]))
    (row,) = time_chains([Slow('slow', None, None, ROOT / 'demo/walk.mp4')], rounds=3)
    assert row['people per frame'] == 4
    # of two batches of 16
    assert row['processor ratio to onnx'] == pytest.approx(1.5, rel=0.1)
    assert row['processor ratio to torch'] == pytest.approx(0.75, rel=0.1)
    for name in networks:
        ratio = row[f'ratio to {name}']
        assert 0 < ratio['low'] <= ratio['median'] <= ratio['high']
        assert row[f'ms per person of {name}'] >= 999 * networks[name] / 16
    header, line = as_table([row])
    assert dict(zip(header, line, strict=True))['people'] == '4.0'


@pytest.mark.parametrize('backend', chain.NETWORKS)
def test_the_network_alone_runs_all_crops(backend):
    outputs = chain._network_alone(backend)()
    # ONNX Runtime runs two crops at a time, and returns what it kept, too
    x = outputs if backend == 'torch' else zip(*outputs, strict=True)
    x, y = [np.concatenate(part) if backend == 'onnx' else part for part in x][:2]
    assert (x.shape, y.shape) == ((16, 17, 384), (16, 17, 512))
