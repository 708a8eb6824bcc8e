"""Inputs and tiny models for the tests of GTPT."""

import numpy as np
import official_weights
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.skeletons.joints import get_skeleton

WHOLEBODY = dict(
    skeleton='coco-wholebody-133',
    groups=(
        ('head', 'face'),
        ('upper_body', 'left_hand', 'right_hand'),
        ('lower_body', 'left_foot', 'right_foot'),
    ),
)


def fixture_images(meta):
    """Images of a fixture, (B, 3, H, W)."""
    of = meta['input']['x']
    values = official_weights.fill('input__x', of['shape'], of['dtype'], meta['seed'])
    return torch.from_numpy(values * np.float32(of['gain']))


def labeled_samples(
    joints, visible, skeleton='coco-17', input_size=(192, 256), **settings
):
    """Samples as MMPose's pipelines pack them, with labels of one person each."""
    codec = GTPTLabel(input_size=input_size, **settings)
    flip_indices = get_skeleton(skeleton).flip_indices
    batch = []
    for points, seen in zip(np.asarray(joints), np.asarray(visible), strict=True):
        labels = codec.encode(points[None], seen[None])
        sample = PoseDataSample(metainfo={'flip_indices': flip_indices})
        tensors = {name: torch.from_numpy(value) for name, value in labels.items()}
        sample.gt_instance_labels = InstanceData(**tensors)
        batch.append(sample)
    return batch


def random_people(count, size=(192, 256), num_keypoints=17):
    """Keypoints (B, K, 2) in an image, and that they are visible, (B, K)."""
    rng = np.random.default_rng(0)
    joints = rng.uniform(size=(count, num_keypoints, 2)) * size
    return joints.astype(np.float32), np.ones((count, num_keypoints), np.float32)
