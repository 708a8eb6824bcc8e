"""Average precision of retrieval."""

import numpy as np
from numpy.testing import assert_allclose

from tools.lab.measure_retrieval import average_precisions


def test_average_precision_leaves_out_the_own_subject_and_camera():
    angles = np.deg2rad([0, 5, 10, 20, 30, 40])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1) * [[3]]
    actions = np.array(list('aababa'))
    subjects = np.array(list('112334'))
    cameras = np.array(list('121212'))
    found = average_precisions(vectors, actions, subjects, cameras)
    nan = np.nan  # no other performs the action, seen by another camera
    assert_allclose(found, [1, nan, nan, 1 / 2, nan, 1 / 3])
