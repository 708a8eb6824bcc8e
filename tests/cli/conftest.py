"""Fixtures of ``mmhot infer`` with stand-ins for the 2D models."""

from functools import partial

import pytest
from pose_sources import infer


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


@pytest.fixture
def infer_it(checkpoint, out, opened, monkeypatch):
    """``infer_it(INPUT..., OPTION=VALUE...)`` returns the exit code."""
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    return partial(
        infer,
        pose3d_weights=checkpoint,
        out_dir=out,
        formats='npz',
        camera='moving',  # the gray images of stand-ins show no camera
    )
