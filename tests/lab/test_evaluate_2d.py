"""Evaluation of 2D models: datasets, boxes, keypoints and messages."""

import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_people import FOLDER
from numpy.testing import assert_allclose
from packed_shards import packed_people
from PIL import Image

import mmhot.plugin  # noqa: F401 registers
from mmhot.skeletons.joints import get_skeleton
from tools.lab.evaluate_2d import joints_by_kind
from tools.lab.keypoint_errors import summarize
from tools.lab.labeled_images import predict, read_labeled
from tools.lab.packing import write_packed_people


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


def test_coco_people_are_evaluated_in_their_boxes():
    files = FOLDER / 'annotations.json', f'{FOLDER}/'
    dataset = read_labeled('CocoDataset', *map(str, files))
    perfect, _ = predict(FakeEstimator(dataset), dataset, batch_size=3)
    assert summarize(perfect)['PCK@0.1 bbox'] == 1
    # more than a tenth of the longer side of most boxes
    shifted, _ = predict(FakeEstimator(dataset, shift=0.3), dataset)
    assert summarize(shifted)['PCK@0.1 bbox'] < 0.5
    assert len(read_labeled('CocoDataset', *map(str, files), limit=2).samples) == 2


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


def test_people_without_labels_are_skipped(tmp_path):
    joints = np.full((16, 2), 120.0).tolist()
    person = dict(center=[190.0, 150.0], scale=2.0, image='0001.jpg', joints=joints)
    people = [person | dict(joints_vis=[seen] * 16) for seen in (0, 1, 0)]
    (tmp_path / 'mpii.json').write_text(json.dumps(people))
    Image.new('RGB', (400, 300), 'gray').save(tmp_path / '0001.jpg')
    dataset = read_labeled('MpiiDataset', f'{tmp_path}/mpii.json', f'{tmp_path}/')
    assert len(dataset.samples) == 1
    (tmp_path / 'mpii.json').write_text(json.dumps(people[:1]))
    with pytest.raises(ValueError, match='mpii.json has no person with labeled'):
        read_labeled('MpiiDataset', f'{tmp_path}/mpii.json', f'{tmp_path}/')


def test_labels_of_other_keypoints_are_refused_before_inference(tmp_path):
    labels = np.zeros((14, 3), int)
    labels[12:] = 50, 50, 2  # the top of the head and the neck
    box = dict(bbox=[20, 20, 60, 60], iscrowd=0, num_keypoints=2)
    person = dict(id=1, image_id=1, category_id=1, area=9.0, **box)
    content = dict(
        images=[dict(id=1, file_name='0.jpg', width=99, height=99)],
        annotations=[person | dict(keypoints=labels.ravel().tolist())],
        categories=[dict(id=1, name='person')],
    )
    path = tmp_path / 'crowd.json'
    path.write_text(json.dumps(content))
    dataset = read_labeled('CrowdPoseDataset', str(path), f'{tmp_path}/')
    with pytest.raises(ValueError, match=r'crowd\.json has no labels of keypoints'):
        predict(SimpleNamespace(skeleton='coco-17'), dataset)


@pytest.mark.parametrize(
    ('kind', 'content'),
    [('CocoDataset', '[]'), ('MpiiDataset', '{"images": []}'), ('CocoDataset', '{}')],
)
def test_files_of_another_format_are_refused(tmp_path, kind, content):
    path = tmp_path / 'a.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=f'a.json is not an annotation file of {kind}'):
        read_labeled(kind, str(path), '')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--batch-size', '0'], '--batch-size must be at least 1, got 0'),
        (['--limit', '-1'], '--limit must be at least 1, got -1'),
        (['--device', 'foo'], "device must be one of cpu, got 'foo'"),
        ([], 'nowhere.json does not exist'),
        (['--out', '.'], r'--out: \. is no ordinary file'),
        (['--fit-confidence'], '--fit-confidence: .* has a score_curve already'),
    ],
)
def test_wrong_arguments_are_refused_before_inference(
    arguments, message, monkeypatch, capsys
):
    tool = Path(__file__).parents[2] / 'tools/lab/evaluate_2d.py'
    files = ['--dataset', 'CocoDataset', 'nowhere.json', '', '--pose2d', 'gtpt-t']
    monkeypatch.setattr(sys, 'argv', [tool.name, *files, *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(tool), run_name='__main__')
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_unknown_datasets_are_refused(tmp_path):
    with pytest.raises(ValueError, match='Nothing is not a dataset of MMPose or mmhot'):
        read_labeled('Nothing', 'file.json', '')


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_joints_are_grouped_by_kind(skeleton):
    skeleton = get_skeleton(skeleton)
    kinds = joints_by_kind(skeleton)
    assert kinds['head'] == [0, 1, 2, 3, 4]
    assert kinds['wrist'] == skeleton.indices(('left_wrist', 'right_wrist'))
    indices = sorted(sum(kinds.values(), []))
    assert indices == list(range(skeleton.num_keypoints))
