"""``.bvh`` and ``.glb`` in Blender have the joints of the clip."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import mmhot
from tools.analysis import measure_in_blender
from tools.analysis.measure_in_blender import FILES, bones_in_blender

DEMO = Path(__file__).parents[2] / 'demo'
blender = pytest.mark.slow(reason='needs Blender as a module: pip install bpy')


@cache
def lifted(name):
    """Lift a video as ``make demo`` does."""
    options = dict(pose2d='gtpt-t', det_model='pose-verified', joints=24)
    return mmhot.infer(str(DEMO / f'{name}.mp4'), **options)


@blender
@pytest.mark.parametrize('name', ['walk', 'dance'])
@pytest.mark.parametrize('file', FILES)
def test_joints_are_those_of_the_clip(name, file):
    pytest.importorskip('bpy')
    errors = measure_in_blender.errors_in_blender(lifted(name), file)
    assert errors.mean(0).max() < 0.003
    assert errors.max() < 0.025


@blender
def test_keys_of_glb_are_frames_of_a_new_scene(tmp_path):
    """A new scene has 24 frames per second."""
    bpy = pytest.importorskip('bpy')
    lifted('walk').save(tmp_path / 'a.glb', out_fps=24)
    assert len([*bones_in_blender(tmp_path / 'a.glb', 24)]) == 130
    (action,) = bpy.data.actions
    curves = action.layers[0].strips[0].channelbags[0].fcurves
    times = np.unique([key.co[0] for curve in curves for key in curve.keyframe_points])
    np.testing.assert_allclose(times, np.arange(130), atol=1e-3)
