"""2D training data: people cut off or turned, parts of a dataset, options."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmhot.datasets.data_loading import PartialEpochSampler
from mmhot.datasets.transforms.occlusion import RandomTruncation
from mmhot.datasets.transforms.person_crop import RandomBBoxScaleRotation

ROOT = Path(__file__).parents[2]


class Images:
    """A dataset of one gray image."""

    def __len__(self):
        return 1

    def get_data_info(self, _):
        return sample()


def sample():
    """A standing person, 17 keypoints down a line."""
    points = np.stack([np.full(17, 100.0), np.linspace(30, 230, 17)], 1)[None]
    return dict(
        img=np.full((256, 200, 3), 90, np.uint8),
        img_shape=(256, 200),
        bbox=np.array([[70, 20, 130, 240]], np.float32),
        keypoints=points.astype(np.float32),
        keypoints_visible=np.ones((1, 17), np.float32),
        dataset=Images(),
    )


@pytest.mark.parametrize('hidden', [0.0, 1.0])
def test_cut_off_people_keep_visible_keypoints(hidden):
    np.random.seed(0)  # noqa: NPY002 (MMPose's transforms draw from it)
    changed = 0
    for _ in range(50):
        before = sample()
        after = RandomTruncation(prob=1.0, hidden=hidden, below=0.5)(sample())
        seen = after['keypoints_visible'][0]
        if np.array_equal(seen, before['keypoints_visible'][0]):
            continue
        changed += 1
        assert set(seen) <= ({1.0, 0.5} if hidden else {1.0, -1.0})
        assert (seen == 1).sum() >= 4
        np.testing.assert_array_equal(after['keypoints'], before['keypoints'])
        box, points = after['bbox'][0], after['keypoints'][0][seen == 1]
        assert (points >= box[:2] - 1).all()
        assert (points <= box[2:] + 1).all()
        assert (box[2:] > box[:2]).all()
        rows, columns = after['img'].shape[:2]
        assert box[2] <= columns
        assert box[3] <= rows
        inside = after['keypoints'][0][seen < 0].round().astype(int)
        for column, row in inside:
            gone = row >= rows or column >= columns
            assert gone or (after['img'][row, column] == 0).all()
    assert changed > 30


@pytest.mark.parametrize('angle', [90, -90, 180, 60])
def test_turned_boxes_contain_the_turned_person(angle, monkeypatch):
    transform = RandomBBoxScaleRotation(around_prob=1.0)
    draw = (np.zeros((1, 2)), np.ones((1, 1)), np.array([float(angle)]))
    monkeypatch.setattr(transform, '_get_transform_params', lambda _: draw)
    results = sample() | dict(
        bbox_center=np.array([[100, 130]], np.float32),
        bbox_scale=np.array([[75, 275]], np.float32),
    )
    points = results['keypoints'][0]
    results = transform(results)
    center, size = results['bbox_center'][0], results['bbox_scale'][0]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    local = (points - center) @ np.array(((cosine, -sine), (sine, cosine)))
    assert (np.abs(local) <= size / 2).all()
    wide = abs(sine) > 0.9
    assert (size[0] > 3 * size[1]) == wide


def test_parts_cover_the_dataset():
    sampler = PartialEpochSampler(range(10), num_samples=4, seed=1)
    drawn = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    assert len(sampler) == 4
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    again = PartialEpochSampler(range(10), num_samples=4, seed=1)
    again.set_epoch(3)
    assert list(again) == drawn[12:16]


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ([], 'nothing to train with: give --shards or --render'),
        (['--render', '2'], '--render needs --motions'),
        (['--shards', 'no.npz'], '--shards: no.npz does not exist'),
        (['--shards', 'no.npz', '--part', '0'], '--part must be at least 1, got 0'),
    ],
)
def test_train_2d_reports_errors_in_one_line(tmp_path, args, message):
    command = [sys.executable, ROOT / 'tools/lab/train_2d.py', tmp_path / 'w', *args]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
