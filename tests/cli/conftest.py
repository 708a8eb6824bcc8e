"""Fixtures of ``mmhot infer`` with stand-ins for the 2D models."""

from functools import partial

import pytest
from pose_sources import Detector, Estimator, infer, use_stand_ins


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


@pytest.fixture
def detector():
    return Detector(every=1)


@pytest.fixture
def infer_it(checkpoint, out, detector, monkeypatch):
    """``infer_it(INPUT..., OPTION=VALUE...)`` returns the exit code."""
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    use_stand_ins(monkeypatch, detector, Estimator())
    return partial(infer, pose3d_weights=checkpoint, out_dir=out)
