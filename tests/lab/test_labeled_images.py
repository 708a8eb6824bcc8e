"""2D models on labeled pictures: which keypoints, in which boxes."""

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
from mmhot.datasets.packed_people import write_packed_people
from tools.lab.keypoint_errors import summarize
from tools.lab.labeled_images import predict, read_labeled


class Knowing:
    """Stands in for a model: its keypoints are the truth, to the right by a part."""

    def __init__(self, pictures, shift=0.0):
        self.skeleton = pictures.skeleton
        self.truth = iter(pictures.keypoints)
        self.shift = shift

    def __call__(self, images, boxes):
        found = []
        for image, box in zip(images, boxes, strict=True):
            assert image.shape[2:] == (3,)
            right = [self.shift * (box[0, 2] - box[0, 0]), 0]
            points = (next(self.truth) + right)[None]
            found.append((points, np.ones(points.shape[:2], np.float32)))
        return found


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_shards_have_the_keypoints_that_are_asked_for(tmp_path, skeleton):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    pictures = read_labeled('RenderedPeopleDataset', str(path), '', skeleton)
    assert pictures.labeled.shape == (4, int(skeleton.split('-')[-1]))
    assert pictures.labeled.all()
    people, _ = predict(Knowing(pictures), pictures)
    assert summarize(people)['OKS'] == 1


def test_coco_people_are_measured_in_their_boxes():
    files = FOLDER / 'annotations.json', f'{FOLDER}/'
    pictures = read_labeled('CocoDataset', *map(str, files))
    perfect, _ = predict(Knowing(pictures), pictures, batch_size=3)
    assert summarize(perfect)['PCK@0.1 bbox'] == 1
    # within a tenth of the larger side of a box
    shifted, _ = predict(Knowing(pictures, shift=0.3), pictures)
    assert summarize(shifted)['PCK@0.1 bbox'] < 0.5
    assert len(read_labeled('CocoDataset', *map(str, files), limit=2).samples) == 2


def test_boxes_of_mpii_are_made_of_joints(tmp_path):
    joints = np.random.default_rng(0).uniform((100, 60), (280, 240), (16, 2))
    seen = np.ones(16, int)
    joints[0], seen[0] = 0, 0  # an ankle that nobody labeled
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
    pictures = read_labeled('MpiiDataset', *map(str, files))
    low, high = joints[1:].min(0), joints[1:].max(0)
    margin = 0.1 * (high - low).max()
    wanted = [[*(low - margin), *(high + margin)]]
    # MPII counts pixels from one
    assert_allclose(pictures.samples[0]['bbox'], wanted, atol=1.01)
    assert pictures.labeled.sum() == 11  # shoulders to ankles, without the one


def test_people_without_labels_are_left_out(tmp_path):
    joints = np.full((16, 2), 120.0).tolist()
    person = dict(center=[190.0, 150.0], scale=2.0, image='0001.jpg', joints=joints)
    people = [person | dict(joints_vis=[seen] * 16) for seen in (0, 1, 0)]
    (tmp_path / 'mpii.json').write_text(json.dumps(people))
    Image.new('RGB', (400, 300), 'gray').save(tmp_path / '0001.jpg')
    pictures = read_labeled('MpiiDataset', f'{tmp_path}/mpii.json', f'{tmp_path}/')
    assert len(pictures.samples) == 1
    (tmp_path / 'mpii.json').write_text(json.dumps(people[:1]))
    with pytest.raises(ValueError, match='mpii.json has nobody with labeled'):
        read_labeled('MpiiDataset', f'{tmp_path}/mpii.json', f'{tmp_path}/')


def test_labels_that_the_model_lacks_are_told_before_it_runs(tmp_path):
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
    pictures = read_labeled('CrowdPoseDataset', str(path), f'{tmp_path}/')
    with pytest.raises(ValueError, match=r'crowd\.json has no labels of keypoints'):
        predict(SimpleNamespace(skeleton='coco-17'), pictures)


@pytest.mark.parametrize(
    ('kind', 'content'),
    [('CocoDataset', '[]'), ('MpiiDataset', '{"images": []}'), ('CocoDataset', '{}')],
)
def test_files_of_another_kind_are_named(tmp_path, kind, content):
    path = tmp_path / 'a.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=f'a.json is no file of people .* for {kind}'):
        read_labeled(kind, str(path), '')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--batch-size', '0'], '--batch-size must be at least 1, got 0'),
        (['--limit', '-1'], '--limit must be at least 1, got -1'),
        (['--device', 'foo'], "there is no device 'foo' here"),
        ([], 'nowhere.json does not exist'),
        (['--out', '.'], r'--out: \. is no ordinary file'),
        (['--fit-confidence'], '--fit-confidence: .* has a score_curve already'),
    ],
)
def test_tool_refuses_before_it_measures(arguments, message, monkeypatch, capsys):
    tool = Path(__file__).parents[2] / 'tools/lab/evaluate_2d.py'
    files = ['--dataset', 'CocoDataset', 'nowhere.json', '', '--pose2d', 'gtpt-t']
    monkeypatch.setattr(sys, 'argv', [tool.name, *files, *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(tool), run_name='__main__')
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_mistakes_are_told(tmp_path):
    with pytest.raises(ValueError, match='Nothing is no dataset of MMPose or mmhot'):
        read_labeled('Nothing', 'file.json', '')
