"""Errors of people who are placed on one floor."""

import numpy as np
import pytest

from mmhot.structures.clips_3d import Clip3D
from tools.analysis.measure_floor import depth_error


def test_one_scale_of_a_scene_is_no_error_and_a_person_of_another_size_is():
    true = np.repeat([[[-1.0, 0, 4]], [[1, 0, 6]]], 5, axis=1)
    poses = np.random.default_rng(1).normal(0, 0.3, (5, 2, 17, 3))
    poses[:, :, 0] = 0
    for sizes, depth in (([2, 2], 0), ([1, 1.2], np.log(1.2) / 2)):
        roots = true.swapaxes(0, 1) * np.reshape(sizes, (2, 1))
        clip = Clip3D.from_arrays(poses, 25.0, root_3d=roots, axes='camera')
        assert depth_error(clip, true) == pytest.approx(depth, abs=1e-5)
