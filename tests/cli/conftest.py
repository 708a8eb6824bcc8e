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
def opened(detector, monkeypatch):
    """Options of the 2D models that were opened."""
    return use_stand_ins(monkeypatch, detector, Estimator())


@pytest.fixture
def infer_it(checkpoint, out, opened, monkeypatch):
    """``infer_it(INPUT..., OPTION=VALUE...)`` returns the exit code."""
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    return partial(infer, pose3d_weights=checkpoint, out_dir=out, formats='npz')
