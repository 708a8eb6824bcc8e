"""Evaluation of 2D models: datasets, boxes, keypoints and messages."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from packed_shards import packed_people
from PIL import Image

import mmhot.plugin  # noqa: F401 registers
from mmhot import get_skeleton
from projects.rendered_people.evaluate_2d import joints_by_kind
from projects.rendered_people.keypoint_errors import summarize
from projects.rendered_people.labeled_images import predict, read_labeled
from projects.rendered_people.packed_people import write_packed_people


class FakeEstimator:
    """Predicts the ground truth, shifted to the right relative to the box."""

    def __init__(self, dataset, shift=0.0):
        self.skeleton = dataset.skeleton
        self.truth = iter(dataset.keypoints)
        self.shift = shift

    def __call__(self, images, boxes):
        results = []
        for image, box in zip(images, boxes, strict=True):
            assert image.shape[2:] == (3,)
            right = [self.shift * (box[0, 2] - box[0, 0]), 0]
            points = (next(self.truth) + right)[None]
            results.append((points, np.ones(points.shape[:2], np.float32)))
        return results


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_packed_people_have_the_keypoints_of_the_skeleton(tmp_path, skeleton):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    dataset = read_labeled('RenderedPeopleDataset', str(path), '', skeleton)
    assert dataset.labeled.shape == (4, int(skeleton.split('-')[-1]))
    assert dataset.labeled.all()
    people, _ = predict(FakeEstimator(dataset), dataset)
    assert summarize(people)['OKS'] == 1


def test_mpii_boxes_are_computed_from_joints(tmp_path):
    joints = np.random.default_rng(0).uniform((100, 60), (280, 240), (16, 2))
    seen = np.ones(16, int)
    joints[0], seen[0] = 0, 0  # an ankle without a label
    person = dict(
        image='0001.jpg',
        center=[190.0, 150.0],
        scale=2.0,
        joints=joints.tolist(),
        joints_vis=seen.tolist(),
    )
    (tmp_path / 'mpii.json').write_text(json.dumps([person]))
    Image.new('RGB', (400, 300), 'gray').save(tmp_path / '0001.jpg')
    files = tmp_path / 'mpii.json', f'{tmp_path}/'
    dataset = read_labeled('MpiiDataset', *map(str, files))
    low, high = joints[1:].min(0), joints[1:].max(0)
    margin = 0.1 * (high - low).max()
    wanted = [[*(low - margin), *(high + margin)]]
    assert 'area' not in dataset.samples[0]  # MMPose's is that of the square
    # MPII counts pixels from one
    assert_allclose(dataset.samples[0]['bbox'], wanted, atol=1.01)
    assert dataset.labeled.sum() == 11  # shoulders to ankles, but one


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_joints_are_grouped_by_kind(skeleton):
    skeleton = get_skeleton(skeleton)
    kinds = joints_by_kind(skeleton)
    assert kinds['head'] == [0, 1, 2, 3, 4]
    assert kinds['wrist'] == skeleton.indices(('left_wrist', 'right_wrist'))
    indices = sorted(sum(kinds.values(), []))
    assert indices == list(range(skeleton.num_keypoints))
