"""``mmhot infer`` with damaged inputs, full disks, crowds and interruptions.

Each case: a clear line, the right exit code, and computed results are kept.
"""

import errno
import os
import signal

import numpy as np
import pytest
from pose_sources import Detector, Estimator, use_stand_ins
from video_files import gray_image, write_video

from mmhot.chain.frames.files import VideoFile
from mmhot.io import atomic
from mmhot.io.lifted import read_lifted


def clean(path, number=10, **options):
    """A video of one shot, brighter and darker, that is decoded as it was written."""
    images = [gray_image(abs((n + 50) % 100 - 50), **options) for n in range(number)]
    return write_video(path, images, codec='ffv1')


@pytest.fixture
def video(tmp_path):
    return clean(tmp_path / 'clip.mkv')


def complaints(capfd):
    return capfd.readouterr().err.splitlines()


def test_variable_rates_are_lifted_at_their_times(infer_it, out, tmp_path, capfd):
    times = [0, 40, 80, 200, 240, 400, 410, 500, 900, 1000]
    video = write_video(tmp_path / 'a.mp4', times=times)
    assert infer_it(video, formats='npz,json,mp4') == 0
    clip = read_lifted(out / 'a.npz')
    np.testing.assert_array_equal(clip.frame, np.arange(10))
    np.testing.assert_allclose(clip.time, np.array(times) / 1000, atol=1e-6)
    assert np.isfinite(clip.keypoints_3d).all()
    np.testing.assert_array_equal(read_lifted(out / 'a.json').time, clip.time)
    shown = [frame.time for frame in VideoFile(out / 'a.mp4')]
    np.testing.assert_allclose(shown, clip.time, atol=1e-4)
    assert complaints(capfd) == []


def test_paths_may_have_any_characters(infer_it, tmp_path, capfd):
    folder = tmp_path / 'Video – «ä 日本»'
    folder.mkdir()
    video = clean(folder / "Sönke's 50% [1] #2.mkv")
    out = tmp_path / 'Aus gabe ü'
    assert infer_it(video, out_dir=out, formats='npz,html,mp4') == 0
    assert len(read_lifted(out / f'{video.stem}.npz')) == 10
    assert complaints(capfd) == []


def test_full_disk_of_the_cache_does_not_stop_the_work(
    infer_it, out, video, monkeypatch, capfd
):
    fsync = os.fsync

    def check(descriptor):
        if '.mmhot-cache' in os.readlink(f'/proc/self/fd/{descriptor}'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, 'fsync', check)
    assert infer_it(video) == 0
    lines = complaints(capfd)
    # keypoints, and that it is finished
    assert len(lines) == 2
    assert all('No space left on device' in line for line in lines)
    assert len(read_lifted(out / 'clip.npz')) == 10
    assert os.listdir(out / '.mmhot-cache') == []


def press_ctrl_c(*_):
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def disturb(monkeypatch):
    """``disturb(COUNT, FUNCTION)`` calls it once when so many frames were seen."""
    find, moments = Detector.__call__, {}

    def call(self, images):
        moments.pop(len(self.calls), lambda: None)()
        return find(self, images)

    monkeypatch.setattr(Detector, '__call__', call)
    return moments.__setitem__


def test_ctrl_c_keeps_results_and_resume_continues(
    infer_it, detector, out, video, tmp_path, disturb, capfd
):
    disturb(18, press_ctrl_c)
    second = clean(tmp_path / 'second.mkv')
    third = clean(tmp_path / 'third.mkv')
    assert infer_it(video, second, third) == 130
    output, errors = capfd.readouterr()
    assert errors == (
        'mmhot infer: interrupted: 1 of 3 inputs are finished; the same command with '
        '--resume continues from here\n'
    )
    assert 'clip' in output.splitlines()[-1]
    assert [path.name for path in out.glob('*.npz')] == ['clip.npz']
    detector.calls.clear()
    assert infer_it(video, second, third, resume=True) == 0
    assert detector.calls == [*range(8, 10), *range(10)]
    output = capfd.readouterr().out
    assert 'clip: was finished before' in output
    assert len(read_lifted(out / 'second.npz')) == 10


def test_ctrl_c_twice_ends_with_one_line_and_keeps_keypoints(
    infer_it, detector, out, video, disturb, monkeypatch, capfd
):
    disturb(8, press_ctrl_c)
    monkeypatch.setattr(atomic.os, 'fsync', press_ctrl_c)
    assert infer_it(video) == 130
    (line,) = complaints(capfd)
    assert 'interrupted: 0 of 1 inputs are finished' in line
    monkeypatch.undo()
    use_stand_ins(monkeypatch, detector, Estimator())
    detector.calls.clear()
    assert infer_it(video, resume=True) == 0
    assert detector.calls == [*range(8, 10)]


def test_fault_of_a_model_stops_one_input_only(
    infer_it, out, video, tmp_path, disturb, capfd
):
    def fail():
        raise RuntimeError('the model\nis broken')

    disturb(0, fail)
    assert infer_it(clean(tmp_path / 'other.mkv'), video) == 1
    (line,) = complaints(capfd)
    assert 'other: RuntimeError: the model is broken (MMHOT_DEBUG=1' in line
    assert (out / 'clip.npz').is_file()
