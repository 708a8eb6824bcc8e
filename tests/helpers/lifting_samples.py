"""Windows as evaluators receive them, and results of LiftingErrorMetric."""

import numpy as np
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import METRICS

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.h36m import h36m_metainfo

H36M = parse_pose_metainfo(h36m_metainfo())


def poses(num_frames=40, seed=0):
    """Predictions and targets (F, 17, 3) in meters, the root at the origin."""
    rng = np.random.default_rng(seed)
    target = rng.normal(0, 0.02, (num_frames, 17, 3)).cumsum(0)
    target += rng.normal(0, 0.3, (17, 3))
    pred = target + rng.normal(0, 0.06, target.shape)
    return pred - pred[:, :1], target - target[:, :1]


def sample(pred, target, visible=None, **metainfo):
    """A window as evaluators receive it."""
    visible = np.ones(target.shape[:2], np.float32) if visible is None else visible
    instances = dict(lifting_target=target, lifting_target_visible=visible)
    metainfo = dict(dataset_name='gt') | metainfo
    return dict(gt_instances=instances, pred_instances=dict(keypoints=pred), **metainfo)


def measure(samples, **settings):
    """The metric after an evaluation, and its results."""
    metric = METRICS.build(dict(type='LiftingErrorMetric', **settings))
    metric.dataset_meta = H36M
    for first in range(0, len(samples), 3):
        metric.process({}, samples[first : first + 3])
    return metric, metric.evaluate(len(samples))


def evaluate(samples, **settings):
    return measure(samples, **settings)[1]


def windows(length, num_targets, stride, noise, clip='a/x', action=''):
    """Samples of a clip's windows, and its predictions and targets."""
    pred, target = poses(length)
    first = -((stride - 1) // 2) if length > num_targets else 0
    known = dict(clip=clip, subject=clip.split('/')[0], action=action, fps=50.0)
    samples = []
    for start in range(first, length, stride):
        frames = np.arange(start, start + num_targets)
        inside = frames.clip(0, length - 1)
        visible = np.repeat((inside == frames)[:, None], 17, 1).astype(np.float32)
        rng = np.random.default_rng(start + 1000)
        offset = rng.normal(0, noise, (num_targets, 17, 3))
        found, known['target_frame_numbers'] = pred[inside] + offset, frames
        samples.append(sample(found, target[inside], visible, **known))
    return samples, pred, target


def h36m_samples():
    """Three actions of unequal lengths, with image names as in MMPose."""
    samples = []
    parts = {'Directions_1': 20, 'Directions': 30, 'WalkDog_1': 70}
    for seed, (action, length) in enumerate(parts.items()):
        pred, target = poses(length, seed)
        pred = target + (seed + 1) * (pred - target)
        name, half = f'images/S9/S9_{action}.54138969', length // 2
        paths = np.array([f'{name}_{n:06d}.jpg' for n in range(1, length + 1)])
        for part in (slice(half), slice(half, length)):
            known = dict(
                clip=f'S9_{action}.54138969',
                subject='S9',
                action=action.removesuffix('_1'),
                target_frame_numbers=np.arange(length)[part] + 1,
                target_img_path=paths[part],  # MMPose's metrics read it
            )
            samples.append(sample(pred[part], target[part], **known))
    return samples
