"""Errors of toes, heels, hands and noses."""

from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.io.arrays import load_arrays
from mmhot.motion.extremities import SKELETON
from mmhot.skeletons.joints import convert_keypoints
from tools.lab.demo_inputs import DEMO, read_truth
from tools.lab.measure_extremities import measure_projected


def test_projected_joints_against_labels_of_the_whole_body():
    labels = load_arrays(DEMO / 'walk.npz', ['wholebody_2d'])['wholebody_2d']
    pixels, _, _ = convert_keypoints(labels, None, 'coco-wholebody-133', SKELETON.name)
    # on the labels' rays, 5 m away
    focal = read_truth('walk').lens.focal[0]
    places = np.insert(5 * (pixels - (640, 360)) / focal, 2, 5.0, axis=2)
    places[:, SKELETON.index('left_heel'), 0] += 0.04
    places[:, SKELETON.index('right_heel'), 2] *= 1.1  # along the line of sight
    places[:, SKELETON.index('right_heel'), :2] *= 1.1
    scores = np.ones(pixels.shape[:2], np.float32)
    scores[::2, SKELETON.index('right_hand')] = 0
    clip = replace(
        rendered('walk'),
        keypoints_3d=(places - places[:, :1]).astype(np.float32),
        root_3d=places[:, 0].astype(np.float32),
        scores=scores,
        joint_names=SKELETON.joints,
        parents=SKELETON.parents,
        focal_length=focal,
    )
    rows = measure_projected(clip, labels)
    assert list(rows) == ['big_toe', 'heel', 'hand', 'nose']
    assert rows['big_toe'] == pytest.approx([100, 0], abs=1e-2)
    assert rows['heel'] == pytest.approx([100, 2], abs=1e-2)
    assert rows['hand'] == pytest.approx([75, 0], abs=1e-2)
