"""``mmhot stream``: a file that is whole at any time, and lines to read."""

import json
import os
import signal
import time

import numpy as np
import pytest
import video_files
from lifters import save_lifter
from pose_sources import Detector, Estimator, infer, use_stand_ins
from video_files import ScriptedStream, write_video

import mmhot
from mmhot.chain.frames import capture, streams
from mmhot.weights.index import LIVE_LIFTER


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp('lifter')
    return save_lifter(folder / 'tiny.pth', num_keep_frames=1)


@pytest.fixture
def infer_it(checkpoint, out, monkeypatch):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    monkeypatch.setattr(capture, '_WAIT', 0.01)
    use_stand_ins(monkeypatch, Detector(every=1), Estimator())

    def run(*inputs, stream=None, **options):
        if stream is not None:
            monkeypatch.setattr(streams, 'open_stream', lambda text: stream)
        return infer(
            *inputs,
            **{'pose3d_weights': checkpoint, 'out_dir': out} | options,
            command='stream',
        )

    return run


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'clip.mkv', codec='ffv1', rate=10)


def test_streams_get_the_lifter_for_streams(infer_it, video, capfd):
    assert infer_it(video, pose3d_weights=None) == 0
    output = capfd.readouterr().out
    assert f'lifter: {LIVE_LIFTER}\n' in output
    assert 'clip.jsonl, until it ends\n' in output


def lines(path):
    """The file's lines by type; each must be whole."""
    text = path.read_text()
    assert text.endswith('\n')
    found = {'header': [], 'frame': [], 'gap': [], 'summary': []}
    for line in text.splitlines():
        document = json.loads(line)
        found[document.pop('type')].append(document)
    return found


def test_a_played_file_gives_a_line_a_frame(infer_it, out, video, capfd):
    assert infer_it(video, lookahead=1, reconnect=0) == 0
    found = lines(out / 'clip.jsonl')
    (header,), (summary,) = found['header'], found['summary']
    assert (header['width'], header['height'], header['fps']) == (64, 48, 10)
    assert (header['lookahead_frames'], header['lookahead_ms']) == (1, 100)
    assert (header['axes'], header['unit']) == ('camera', 'm')
    assert len(header['joint_names']) == len(header['parents']) == 17
    numbers = [frame['frame_id'] for frame in found['frame']]
    assert numbers == sorted(set(numbers))
    assert summary == {'frames_seen': 10, 'frames_lifted': len(numbers), 'ended': None}
    assert all(frame['latency_ms'] > 0 for frame in found['frame'])
    person = found['frame'][-1]['instances'][0]
    assert np.shape(person['keypoints_3d']) == (17, 3)
    assert person['keypoints_3d'][0] == [0, 0, 0]
    assert np.shape(person['root_3d']) == (3,)
    assert np.shape(person['scores']) == (17,)
    said = capfd.readouterr().out
    assert 'poses one frame (100 ms) behind' in said
    assert f'10 frames seen, {len(numbers)} lifted' in said


def test_a_stream_in_world_axes_stands_on_a_floor(infer_it, out, video):
    options = dict(axes='world', tilt=6, height=1.8, lookahead=1)
    assert infer_it(video, reconnect=0, **options) == 0
    found = lines(out / 'clip.jsonl')
    wanted = dict(axes='world', tilt=6, origin='person', body_height=1.8)
    assert wanted.items() <= found['header'][0].items()
    assert {frame['tilt'] for frame in found['frame']} == {6}
    clip = mmhot.read_lifted(out / 'clip.jsonl')
    assert clip.axes == 'world'
    ankles = clip.places()[:, [3, 6]]
    assert ankles[..., 2].min() == pytest.approx(0.08, abs=1e-3)
    assert np.linalg.norm(ankles[0, :, :2].mean(0)) < 1e-3


def test_ctrl_c_leaves_a_whole_file(infer_it, out):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    script = [(number / 50, number) for number in range(20)]
    script = [*script, interrupt, *[20] * 1_000_000]
    before = signal.getsignal(signal.SIGINT)
    assert infer_it('0', stream=ScriptedStream([script])) == 0
    assert signal.getsignal(signal.SIGINT) is before
    found = lines(out / 'camera.jsonl')
    assert len(found['summary']) == 1
    assert found['summary'][0]['ended'] is None
    # none may have been lifted yet
    seen = found['summary'][0]['frames_seen']
    assert all(frame['frame_id'] <= seen for frame in found['frame'])


def test_frames_of_a_new_size_follow_a_header(infer_it, out, monkeypatch):
    def image(number):
        return np.full((48, 64 if number < 8 else 32, 3), 10 * number, np.uint8)

    monkeypatch.setattr(video_files, 'gray_image', image)
    script = [(number / 50, number) for number in range(16)]
    # The first frame opens the models; the next ones come slowly enough to be lifted.
    script[1:] = [each for x in script[1:] for each in (lambda: time.sleep(0.05), x)]
    assert infer_it('0', stream=ScriptedStream([script]), reconnect=0) == 1
    width = 0
    for line in (out / 'camera.jsonl').read_text().splitlines():
        document = json.loads(line)
        width = document.get('width', width)
        if document['type'] == 'frame':
            assert width == (64 if document['frame_id'] < 8 else 32)
    assert width == 32


def test_gaps_are_written_and_a_lost_stream_fails(infer_it, out, capfd):
    first, second = ([(n / 50, n) for n in range(8)] for _ in range(2))
    stream = ScriptedStream([[*first, OSError('torn')], second])
    assert infer_it('0', stream=stream, reconnect=2, quiet=True) == 1
    found = lines(out / 'camera.jsonl')
    assert [gap['reason'] for gap in found['gap']] == ['torn', 'it ended']
    (summary,) = found['summary']
    assert [gap['time'] for gap in found['gap']] == sorted(
        gap['time'] for gap in found['gap']
    )
    assert summary['frames_seen'] == 16
    assert summary['ended'] == 'camera: lost for 2 s, given up: gone'
    output = capfd.readouterr()
    assert output.out == ''
    # a slow machine drops frames, too
    assert output.err.endswith('mmhot stream: camera: lost for 2 s, given up: gone\n')


@pytest.mark.parametrize(
    ('inputs', 'options', 'message'),
    [
        ('97', {}, 'there is no webcam 97: /dev/video97 does not exist'),
        ('0', {'tilt': 'steep'}, '--tilt must be auto, or from -90 to 90 degrees'),
        ('0', {'origin': 'camera'}, '--origin needs --axes world'),
    ],
)
def test_wrong_combinations_are_refused_in_a_line(
    infer_it, out, capfd, inputs, options, message
):
    assert infer_it(*inputs.split(), **options) == 2
    errors = capfd.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert not out.exists()


def test_look_ahead_is_limited(infer_it, out, capfd):
    stream = ScriptedStream([[]])
    assert infer_it('0', stream=stream, quiet=True, lookahead=5) == 2
    assert 'lookahead must be from 0 to 4, the later frames' in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ('speed', 'remedy'),
    [('fast', '--speed fastest or another detector'), ('fastest', 'another detector')],
)
def test_a_stream_that_is_too_slow_drops_frames_and_says_so_once(
    infer_it, out, monkeypatch, capfd, speed, remedy
):
    class Slow(Estimator):
        def __call__(self, images, boxes):
            time.sleep(0.05)
            return super().__call__(images, boxes)

    use_stand_ins(monkeypatch, Detector(every=1), Slow())
    frames = [(number / 100, number % 20) for number in range(60)]
    script = [each for frame in frames for each in (frame, lambda: time.sleep(0.01))]
    stream = ScriptedStream([script], fps=100)
    assert infer_it('0', stream=stream, reconnect=0, speed=speed) == 1
    (summary,) = lines(out / 'camera.jsonl')['summary']
    assert summary['frames_seen'] - summary['frames_lifted'] > 20
    said = capfd.readouterr().err
    assert said.count('frames arrive faster than they are processed') == 1
    assert f'dropped ({remedy} may help)' in said
