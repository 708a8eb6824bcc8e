"""Streams and whole clips of rendered clips."""

import numpy as np
import pytest

from mmhot.io.arrays import load_arrays
from tools.lab.demo_inputs import DEMO
from tools.lab.measure_live_feet import read_rendered, tabulate


@pytest.fixture
def labels(tmp_path):
    """Ground truth of the first 40 frames of a clip."""
    arrays = load_arrays(DEMO / 'walk.npz')
    count = len(arrays['h36m_2d'])
    arrays = {x: y[:40] if y.shape[:1] == (count,) else y for x, y in arrays.items()}
    np.savez(tmp_path / 'walk.npz', **arrays)
    return tmp_path / 'walk.npz'


def test_noise_is_that_of_a_detector(labels):
    clip, _ = read_rendered(labels)
    (track,) = clip.tracks
    assert (clip.width, clip.height, clip.fps, len(track.frames)) == (1280, 720, 25, 40)
    truth = load_arrays(labels, ['keypoints_2d'])['keypoints_2d']
    errors = np.linalg.norm(track.keypoints - truth, axis=-1)
    height = np.ptp(truth[..., 1], axis=1).mean()
    assert 0.002 < np.median(errors) / height < 0.03


def test_streams_and_whole_clips_are_compared(labels):
    head, *rows = tabulate({'walk': [read_rendered(labels)]})
    assert head[2:] == ['foot slide', 'true slide', 'root path', 'MPJPE', 'jitter']
    assert [row[1] for row in rows] == ['stream, no lock', 'stream', 'whole clip']
    table = np.array([[float(cell.split()[0]) for cell in row[2:]] for row in rows])
    slide, true, _, error, shake = table.T
    # the first frames of a stream have no poses
    assert true == pytest.approx(10.5, abs=0.5)
    assert slide[0] > 30 > 20 > max(slide[1:])
    assert error.max() < 110
    assert shake[2] < shake[1]
