"""``.bvh`` files in other programs have the joint positions that were written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of
from numpy.testing import assert_allclose

from mmhot.io.writers.bvh import write_bvh
from mmhot.io.writers.rigid_skeleton import fit_rigid_skeleton
from mmhot.io.writers.rigs import BONES

SCRIPT = Path(__file__).parents[1] / 'helpers/blender_joints.py'
NUM_FRAMES = 60


def in_blender(path):
    """Joints (T, K, 3) in meters, z up, after Blender's import."""
    pytest.importorskip('bpy')
    out = path.with_suffix('.json')
    subprocess.run([sys.executable, SCRIPT, path, out], check=True, capture_output=True)
    frames = json.loads(out.read_text())
    return np.array([[pose[BONES[name]] for name in H36M.joints] for pose in frames])


@pytest.mark.slow(reason='needs Blender as a module: pip install bpy')
@pytest.mark.parametrize('clip', [JUMP, KICK])
def test_other_programs_read_the_written_joints(tmp_path, clip):
    positions = joints_of(clip, NUM_FRAMES)
    motion = fit_rigid_skeleton(positions, H36M)
    write_bvh(motion, 50.0, tmp_path / 'a.bvh')
    found = in_blender(tmp_path / 'a.bvh')
    assert_allclose(found, motion.positions(), atol=1e-3)
    assert np.linalg.norm(found - positions, axis=-1).mean(0).max() < 0.01
