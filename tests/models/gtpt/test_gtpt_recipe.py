"""GTPT's training recipe: crops, averaged weights, labels and schedules."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import METRICS
from topdown_configs import FOLDER, build_dataset, dataset_config

from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.datasets.data_loading import TopdownDataPreprocessor, seed_everything
from mmhot.datasets.transforms.person_crop import (
    InclusiveBBox,
    RandomBBoxScaleRotation,
    RandomHalfWholeBody,
)
from mmhot.engine.optimizers import CosineMomentumEMA

META = {
    name: parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    for name in ('coco', 'coco_wholebody')
}


def person(dataset='coco', visible=None):
    """A person whose joints lie on a diagonal, ten pixels apart."""
    meta = META[dataset]
    along = np.arange(meta['num_keypoints'], dtype=np.float32)
    visible = along if visible is None else visible
    return dict(
        keypoints=np.stack([along, 2 * along], -1)[None] * 10,
        keypoints_visible=np.isin(along, visible)[None].astype(np.float32),
        upper_body_ids=meta['upper_body_ids'],
        lower_body_ids=meta['lower_body_ids'],
        bbox_center=np.zeros((1, 2), np.float32),
        bbox_scale=np.ones((1, 2), np.float32),
    )


def half_of(results, seed=0, **settings):
    """The joints that a half-body box encloses, None for an unchanged box."""
    seed_everything(seed)
    before, visible = results['keypoints'][0], results['keypoints_visible'][0] > 0
    transform = RandomHalfWholeBody(prob=1.0)
    for name, value in settings.items():
        setattr(transform, name, value)
    changed = transform.transform(dict(results))
    if (changed['bbox_scale'] == results['bbox_scale']).all():
        return None
    scale = changed['bbox_scale'][0] / 1.5
    for ids in (range(11), range(11, 17), [*range(11), *range(23, 133)], range(11, 23)):
        joints = [x for x in ids if x < len(before) and visible[x]]
        if joints and np.allclose(np.ptp(before[joints], axis=0), scale):
            np.testing.assert_allclose(
                changed['bbox_center'][0], before[joints].mean(0), rtol=1e-6
            )
            return joints
    raise AssertionError(f'no half has the extent {scale}')


@pytest.mark.parametrize(
    ('dataset', 'upper', 'lower'),
    [
        ('coco', [*range(11)], [*range(11, 17)]),
        ('coco_wholebody', [*range(11), *range(23, 133)], [*range(11, 23)]),
    ],
)
def test_halves_are_the_published_ones(dataset, upper, lower):
    assert half_of(person(dataset), upper_prioritized_prob=1.0) == upper
    assert half_of(person(dataset), upper_prioritized_prob=0.0) == lower


@pytest.mark.parametrize(
    ('visible', 'prefer_upper', 'expected'),
    [
        ([*range(8)], 1.0, None),  # nine joints are needed
        ([*range(9)], 1.0, [*range(9)]),
        ([*range(9), 11, 12], 0.0, [*range(9)]),  # two lower ones are too few
        ([*range(9), 11, 12, 13], 0.0, [11, 12, 13]),
        ([0, 5, *range(11, 17)], 1.0, None),  # eight joints
        ([0, 5, 6, *range(11, 17)], 1.0, [0, 5, 6]),
    ],
)
def test_half_needs_enough_joints(visible, prefer_upper, expected):
    results = person(visible=visible)
    assert half_of(results, upper_prioritized_prob=prefer_upper) == expected


def test_scale_and_rotation_are_clipped_normal_and_nothing_shifts():
    seed_everything(0)
    boxes = dict(bbox_center=np.ones((20000, 2)), bbox_scale=np.ones((20000, 2)))
    changed = RandomBBoxScaleRotation().transform(boxes)
    scale, angle = changed['bbox_scale'][:, 0], changed['bbox_rotation']
    assert (changed['bbox_center'] == 1).all()
    assert (changed['bbox_scale'][:, 1] == scale).all()
    tail = 1 - math.erf(1 / math.sqrt(2))  # beyond one standard deviation
    for value in (0.65, 1.35):
        assert (scale == value).mean() == pytest.approx(tail / 2, abs=0.01)
    assert scale.min() == np.float32(0.65)
    assert scale.max() == np.float32(1.35)
    assert (angle == 0).mean() == pytest.approx(0.4, abs=0.011)
    assert (np.abs(angle) == 90).mean() == pytest.approx(0.6 * 0.0455, abs=0.004)
    inner = np.abs(angle[(angle != 0)]) < 45
    assert inner.mean() == pytest.approx(1 - tail, abs=0.012)


@pytest.mark.parametrize(
    ('bbox', 'expected'),
    [
        ([10, 20, 30, 40], [10, 20, 39, 59]),
        ([-5, -6, 30, 40], [0, 0, 29, 39]),  # cut, not shortened
        ([90, 40, 30, 40], [90, 40, 99, 59]),
    ],
)
def test_box_ends_at_its_last_pixel(bbox, expected):
    results = dict(raw_ann_info=dict(bbox=bbox), img_shape=(60, 100))
    assert InclusiveBBox().transform(results)['bbox'].tolist() == [expected]


# Settings of configs/_base_/schedules/gtpt_300e.py.
EMA = dict(momentum=0.004, update_buffers=True)


def constant(value):
    layer = torch.nn.BatchNorm1d(1)
    for tensor in (*layer.parameters(), layer.running_mean, layer.running_var):
        tensor.data.fill_(value)
    return layer


def test_average_follows_the_published_schedule():
    MessageHub.get_current_instance().update_info('max_iters', 300 * 586)
    average = CosineMomentumEMA(constant(0.0), **EMA)
    for step, kept in ((0, 0.996), (87900, 0.998), (175799, 1 - 3.2e-13)):
        assert 1 - average.momentum_at(step) == pytest.approx(kept, abs=1e-14)
    assert average.momentum_at(300 * 586) == average.momentum_at(10**9) == 0


def test_average_includes_statistics_and_starts_from_the_initial_weights():
    MessageHub.get_current_instance().update_info('max_iters', 2)
    average = CosineMomentumEMA(constant(0.0), **EMA)
    average.update_parameters(constant(1.0))
    average.update_parameters(constant(2.0))
    # 0.004 of the first step; the second weighs half of that
    expected = torch.tensor([0.004 * 0.998 + 0.002 * 2])
    for name in ('weight', 'bias', 'running_mean', 'running_var'):
        torch.testing.assert_close(getattr(average.module, name).data, expected)


def perfect_result(sample, codec):
    """What a perfect network would predict for a sample, through the codec."""
    size, scale = np.array(sample.input_size), sample.input_scale
    in_crop = (sample.gt_instances.keypoints - sample.input_center) / scale + 0.5
    encoded = codec.encode((in_crop * size).astype(np.float32))
    keypoints, scores = codec.decode(
        encoded['keypoint_x_labels'], encoded['keypoint_y_labels']
    )
    return dict(
        id=sample.id,
        img_id=sample.img_id,
        gt_instances=dict(
            bbox_scales=sample.gt_instances.bbox_scales,
            bbox_scores=sample.gt_instances.bbox_scores,
        ),
        pred_instances=dict(
            keypoints=(keypoints / size - 0.5) * scale + sample.input_center,
            keypoint_scores=scores / codec.peak,
        ),
    )


@pytest.mark.parametrize('name', ['coco', 'coco_wholebody'])
def test_perfect_predictions_have_perfect_metrics(name):
    config = dataset_config(name)
    dataset = build_dataset(config.val_dataloader.dataset)
    codec = GTPTLabel(**{k: v for k, v in config.codec.items() if k != 'type'})
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    metric.process(
        [], [perfect_result(packed['data_samples'], codec) for packed in dataset]
    )
    found = metric.compute_metrics(metric.results)
    # bins are half a pixel wide, which small face points of small people notice
    assert found['AP'] > 0.98
    assert found['AR'] > 0.98
    if name == 'coco_wholebody':
        parts = ('body', 'foot', 'face', 'lefthand', 'righthand', 'hand')
        assert all(found[f'{part}/AP'] > 0.9 for part in parts)
        assert found['hand/AR'] == pytest.approx(
            (found['lefthand/AR'] + found['righthand/AR']) / 2
        )


def test_detected_boxes_come_from_the_file():
    config = dataset_config('coco', detected=True)
    dataset = build_dataset(config.val_dataloader.dataset)
    assert len(dataset) == 8
    detections = json.loads((FOLDER / 'detections.json').read_text())
    for packed, detection in zip(dataset, detections, strict=True):
        sample = packed['data_samples']
        left, top, width, height = detection['bbox']
        center = [left + width / 2, top + height / 2]
        np.testing.assert_allclose(sample.input_center, center, rtol=1e-5)
        # the shorter side is enlarged to 3:4, then both by a quarter
        longer = 1.25 * max(height, width * 4 / 3)
        np.testing.assert_allclose(sample.input_scale, [0.75 * longer, longer], 1e-5)
        assert sample.gt_instances.bbox_scores == pytest.approx(detection['score'])


@pytest.mark.parametrize(('name', 'count'), [('coco', 17), ('coco_wholebody', 133)])
def test_training_samples_hold_labels_where_the_joints_are(name, count):
    settings = dataset_config(name).train_dataloader.dataset
    settings.pipeline[-1] = dict(
        type='PackPoseInputs', pack_transformed=True, meta_keys=('id', 'img_path')
    )
    dataset = build_dataset(settings)
    seed_everything(1)
    for packed in dataset:
        sample = packed['data_samples']
        labels = sample.gt_instance_labels
        weights = labels.keypoint_weights[0].numpy() > 0
        assert packed['inputs'].shape == (3, 256, 192)
        assert weights.shape == (count,)
        joints = sample.gt_instances.transformed_keypoints[0]
        inside = ((joints >= 0) & (joints < (191.5, 255.5))).all(-1)
        shown = inside & (sample.gt_instances.keypoints_visible[0] > 0)
        assert weights[shown].all()
        decoded, _ = GTPTLabel((192, 256)).decode(
            labels.keypoint_x_labels.numpy(), labels.keypoint_y_labels.numpy()
        )
        np.testing.assert_allclose(decoded[0][shown], joints[shown], atol=0.26)


@pytest.mark.parametrize('num_workers', [0, 1])
def test_batches_arrive_as_they_were_made(num_workers):
    config = dataset_config('coco').train_dataloader
    config.update(batch_size=3, num_workers=num_workers)
    config.sampler.shuffle = False
    config.dataset.indices = 4
    config.dataset.pipeline = [
        step for step in config.dataset.pipeline if not step.type.startswith('Random')
    ]
    init_default_scope('mmpose')
    loader = Runner.build_dataloader(config, seed=0)
    batches = [TopdownDataPreprocessor()(batch) for batch in loader]
    assert [len(batch['data_samples']) for batch in batches] == [3, 1]
    dataset = build_dataset(config.dataset)
    expected = [dataset[index] for index in range(4)]
    inputs = torch.cat([batch['inputs'] for batch in batches])
    samples = [sample for batch in batches for sample in batch['data_samples']]
    for image, sample, wanted in zip(inputs, samples, expected, strict=True):
        torch.testing.assert_close(image, wanted['inputs'].float(), rtol=0, atol=0)
        wanted = wanted['data_samples']
        assert sample.metainfo.keys() >= wanted.metainfo.keys()
        assert sample.img_path == wanted.img_path
        assert (sample.gt_instances.bboxes == wanted.gt_instances.bboxes).all()
        labels = dict(sample.gt_instance_labels.items())
        wanted = dict(wanted.gt_instance_labels.items())
        torch.testing.assert_close(labels, wanted, rtol=0, atol=0)
