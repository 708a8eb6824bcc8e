"""Builders of keypoint files for the tests of `mmhot.io`."""

import json

import numpy as np
import pytest
from paths import DEMO

from mmhot.io.readers.keypoints import read_keypoints
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D

SKATER = DEMO / 'skating_2d_coco17.npz'
SIZE = {'image_size': (1280, 720), 'fps': 25}


def walk(num_frames=4, num_keypoints=17, shift=0.0):
    """Keypoints (T, K, 2) well inside an image of 1280 x 720 pixels."""
    rng = np.random.default_rng(0)
    steps = np.arange(num_frames)[:, None, None]
    return rng.uniform(100, 600, (num_keypoints, 2)) + steps + shift


def save(path, **arrays):
    """Write a valid .npz with some arrays replaced; None leaves one out."""
    right = {'keypoints': walk(), 'width': 1280, 'height': 720, 'fps': 25.0}
    if arrays.keys().isdisjoint(('keypoints', 'joint_names')):  # no person stands
        right['skeleton'] = 'coco-17'
    arrays = {k: v for k, v in (right | arrays).items() if v is not None}
    np.savez(path, **arrays)
    return path


def cut_skater(path, num_frames):
    """Write the first 2D poses of the demo's skater to an .npz."""
    with np.load(SKATER) as file:
        arrays = {name: x[:num_frames] if x.ndim else x for name, x in file.items()}
    np.savez(path, **arrays)
    return path


def dump(path, document):
    path.write_text(json.dumps(document))
    return path


def instance(pose, **more):
    """One person as MMPose's split_instances writes it, the box in a list."""
    low, high = pose.min(0).tolist(), pose.max(0).tolist()
    person = {'keypoints': pose.tolist(), 'keypoint_scores': [0.5] * len(pose)}
    return {**person, 'bbox': [low + high], 'bbox_score': 0.9, **more}


def video(keypoints):
    return [
        {'frame_id': t, 'instances': [instance(k)]} for t, k in enumerate(keypoints)
    ]


def coco_result(image_id, keypoints, **more):
    triples = np.c_[keypoints, np.full(len(keypoints), 0.5)]
    person = {'image_id': image_id, 'category_id': 1, 'score': 0.7}
    return {**person, 'keypoints': triples.ravel().tolist(), **more}


def lifted_clip():
    rng = np.random.default_rng(1)
    skeleton = get_skeleton('h36m-17')
    keypoints_3d = rng.normal(size=(5, 17, 3)).astype(np.float32)
    keypoints_3d[0, 0] = [np.float32(1e-41), np.float32(0.1), np.float32(-0.0)]
    keypoints_2d = rng.uniform(0, 1e4, (5, 17, 2)).astype(np.float32)
    keypoints_2d[2, 3] = np.nan
    return Clip3D(
        name='walk “1”',
        frame=np.array([0, 0, 1, 3, 3]),
        track=np.array([0, 7, 7, 0, 7]),
        keypoints_3d=keypoints_3d,
        keypoint_scores_3d=rng.random((5, 17), np.float32),
        keypoints_2d=keypoints_2d,
        scores=rng.random((5, 17), np.float32),
        width=1280,
        height=np.int64(720),
        fps=30000 / 1001,
        joint_names=skeleton.joints,
        parents=skeleton.parents,
        model='mmhot://some',
    )


def assert_refused(path, message, kind=ValueError, **options):
    with pytest.raises(kind) as caught:
        read_keypoints(path, **options)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
