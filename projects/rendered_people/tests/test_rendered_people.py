"""Dataset of packed people: labels, weights and MMPose's keys."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from packed_shards import damage, packed_people

import mmhot.plugin  # noqa: F401 registers
from mmhot import get_skeleton
from mmhot.datasets.coco_checks import annotation_faults
from projects.rendered_people.packed_people import (
    read_packed_people,
    write_packed_people,
)
from projects.rendered_people.training.dataset import RenderedPeopleDataset

WHOLEBODY = get_skeleton('coco-wholebody-133')


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    return path


def test_damaged_images_are_named_in_the_error(shard):
    with np.load(shard) as archive:
        images = np.zeros_like(archive['images'])
    damage(shard, images=images)
    with pytest.raises(ValueError, match='people.npz: image 1 is not a readable'):
        RenderedPeopleDataset(ann_file=str(shard))[1]


def test_shards_are_no_annotations_in_cocos_format(shard):
    # The hook that checks annotations read the missing file as the folder '.'.
    assert annotation_faults(RenderedPeopleDataset(ann_file=str(shard))) == []


def test_complete_labels_separate_absent_from_unknown(tmp_path):
    people = packed_people()
    people.visibility[:, :40] = 0
    people.visibility[:, 40:91] = 1  # hidden, the face among them
    path = tmp_path / 'people.npz'
    write_packed_people(people, path)
    settings = dict(ann_file=str(path), skeleton=WHOLEBODY.name, visible_only=('face',))
    for complete, absent in ((False, 0), (True, -1)):
        dataset = RenderedPeopleDataset(complete=complete, **settings)
        sample = dataset.get_data_info(0)
        visible = sample['keypoints_visible'][0]
        assert visible.dtype == np.float32
        assert set(visible[:40]) == {absent}
        assert set(visible[40:91]) == {0}
        assert set(visible[91:]) == {1}
        # what metrics read
        assert sample['raw_ann_info']['keypoints'][2::3] == [0] * 17


def test_hidden_weight_is_the_weight_of_hidden_keypoints(shard):
    people = read_packed_people(shard)
    dataset = RenderedPeopleDataset(
        ann_file=str(shard), hidden_weight=0.5, complete=True
    )
    for row in range(4):
        weights = dataset.get_data_info(row)['keypoints_visible'][0]
        wanted = np.array((-1, 0.5, 1))[people.visibility[row, :17]]
        np.testing.assert_array_equal(weights, wanted)
    for weight in (0.4, 1.1):
        with pytest.raises(ValueError, match=r'hidden_weight must be in \[0.5, 1\]'):
            RenderedPeopleDataset(ann_file=str(shard), hidden_weight=weight)


def test_photos_are_half_of_the_samples_and_have_annotators_labels(tmp_path):
    photo = packed_people(2, num_keypoints=17, seed=1)
    photo.visibility[:, :5] = 0
    paths = [str(tmp_path / name) for name in ('photos.npz', 'people.npz')]
    for path, people in zip(paths, (photo, packed_people(7)), strict=True):
        write_packed_people(people, path)
    settings = dict(complete=True, hidden_weight=0.5)
    dataset = RenderedPeopleDataset(paths, photos=paths[:1], **settings)
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [each['id'] for each in samples] == list(range(7 + 4 * 2))
    assert [each['row'] for each in samples[7:]] == [0, 1] * 4
    for sample in samples[7:]:
        assert_array_equal(sample['keypoints_visible'][0], [0] * 5 + [1] * 12)
    assert {*samples[0]['keypoints_visible'][0]} == {0.5, 1}
    with pytest.raises(ValueError, match=r'b.npz, which is not in ann_file'):
        RenderedPeopleDataset(paths, photos=['b.npz'])


def test_people_with_few_visible_keypoints_are_left_out(tmp_path):
    people = packed_people()
    people.visibility[:] = 1
    people.visibility[0, :4] = people.visibility[1, :3] = 2
    people.visibility[1, 17:] = 2  # feet, face and hands do not count
    people.visibility[2] = 0  # no person in the image
    path = tmp_path / 'people.npz'
    write_packed_people(people, path)
    settings = dict(ann_file=str(path), min_keypoints=0, min_visible=4)
    rows = [info['row'] for info in RenderedPeopleDataset(**settings)]
    assert rows == [0, 2]


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_samples_have_mmposes_keys(shard, skeleton):
    people = packed_people()
    sample = RenderedPeopleDataset(ann_file=str(shard), skeleton=skeleton)[2]
    count = get_skeleton(skeleton).num_keypoints
    assert sample['img'].shape == (256, 192, 3)
    assert_array_equal(sample['img'], people.decode(2))
    assert_array_equal(sample['keypoints'][0], people.keypoints[2, :count])
    assert_array_equal(sample['keypoints_visible'], np.ones((1, count)))
    assert_array_equal(sample['bbox'], people.bboxes[2:3])
    assert len(sample['flip_indices']) == count


def test_hidden_keypoints_of_visible_only_groups_are_ignored(shard):
    settings = dict(ann_file=str(shard), skeleton='coco-wholebody-133')
    sample = RenderedPeopleDataset(visible_only=['face'], **settings)[1]
    face = WHOLEBODY.indices('face')
    wanted = np.ones(133)
    wanted[face] = packed_people().visibility[1, face] == 2
    assert_array_equal(sample['keypoints_visible'][0], wanted)


@pytest.mark.parametrize(
    ('skeleton', 'metric'),
    [('coco-17', 'CocoMetric'), ('coco-wholebody-133', 'CocoWholeBodyMetric')],
)
def test_ground_truth_has_full_average_precision(shard, skeleton, metric, tmp_path):
    from mmpose.registry import METRICS

    people = RenderedPeopleDataset(
        ann_file=str(shard), skeleton=skeleton, test_mode=True
    )
    metric = METRICS.build(dict(type=metric, outfile_prefix=str(tmp_path / 'eval')))
    metric.dataset_meta = people.metainfo
    for info in people:
        info['ori_shape'] = info['img'].shape[:2]
        instances = dict(
            keypoints=info['keypoints'],
            keypoint_scores=np.ones_like(info['keypoints_visible']),
            bbox_scores=np.ones(1),
            bboxes=info['bbox'],
        )
        gt = dict(bbox_scales=np.ones((1, 2)), bbox_scores=np.ones(1))
        metric.process({}, [info | dict(pred_instances=instances, gt_instances=gt)])
    scores = metric.evaluate(len(people))
    precisions = {name: value for name, value in scores.items() if name.endswith('AP')}
    assert set(precisions.values()) == {1.0}
