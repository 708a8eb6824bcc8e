"""Speed presets: settings of separate pipelines, and their shipped graphs."""

import numpy as np
import pytest

from mmhot.chain.lifting.lift import Lift
from mmhot.chain.pose2d.estimate import EstimatePoses
from mmhot.chain.pose2d.options import SPEEDS
from mmhot.weights.index import LIVE_LIFTER

_IMAGE = np.full((90, 60, 3), 120, np.uint8)
_BOX = np.float32([[5, 5, 55, 85]])


@pytest.mark.parametrize('backend', ['torch', 'onnx'])
def test_pipelines_of_different_speed_do_not_change_each_other(backend):
    models = {x: EstimatePoses(speed=x, backend=backend).open() for x in SPEEDS}
    identities = [repr(model.identity) for model in models.values()]
    assert len({*identities}) == len(SPEEDS)

    def estimate():
        return {
            speed: model.estimator.estimate_fast([_IMAGE], [_BOX])[0][1]
            for speed, model in models.items()
        }

    first, again = estimate(), estimate()
    for speed, scores in first.items():
        np.testing.assert_array_equal(again[speed], scores)
    assert not np.array_equal(first['fastest'], first['default'])
    assert [repr(model.identity) for model in models.values()] == identities
    intervals = [model.detection_interval(25.0) for model in models.values()]
    assert intervals == [25, 25, 50]
    assert models['fast'].detection_interval() == 12


def test_chosen_settings_win_over_the_speed():
    models = EstimatePoses(speed='fastest', det_every=7, backend='onnx').open()
    assert models.detection_interval(25.0) == 7
    assert '18 of 81 frames' in Lift(speed='fastest', keep=18).open().name
    assert Lift(speed='fastest', pose3d=LIVE_LIFTER).open().name == LIVE_LIFTER


@pytest.mark.parametrize('backend', ['onnx', 'torch'])
def test_the_lifter_drops_frames_earlier(backend):
    faster = Lift(speed='fast', backend=backend).open()
    assert 'depth0' in faster.name
    assert not faster.flip_test
    windows = np.random.default_rng(0).normal(size=(2, 81, 17, 2)).astype(np.float32)
    expected = faster.network(windows)
    windows[:, 1:3] = 0  # frames that are dropped before the first layer
    np.testing.assert_allclose(faster.network(windows), expected, atol=1e-5)
