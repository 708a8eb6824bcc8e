"""How many labelled people a detector finds."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmhot.evaluation.found_boxes import (
    BoxedPicture,
    count_found,
    read_boxed_film,
    read_boxed_pictures,
)

FILM = Path(__file__).parents[1] / 'demo' / 'walk.mp4'


class Detector:
    """Finds what it is told to."""

    def __init__(self, *found):
        self.found = iter(found)

    def __call__(self, images):
        return [
            (np.array(boxes, float).reshape(-1, 4), np.array(scores, float))
            for boxes, scores in (next(self.found) for _ in images)
        ]


def picture(boxes, crowds=()):
    marks = np.zeros(len(boxes), bool)
    marks[list(crowds)] = True
    image = np.zeros((100, 100, 3), np.uint8)
    return BoxedPicture(lambda: image, np.array(boxes, float).reshape(-1, 4), marks)


LEFT, RIGHT, BELOW = (0, 0, 20, 40), (50, 0, 70, 40), (0, 60, 100, 100)


def count(detected, *pictures):
    return count_found(Detector(*detected), pictures)


def test_people_are_found_once():
    shifted = (5, 0, 25, 40)  # 0.6 of the union
    twice = [([shifted, LEFT], (0.9, 0.8))]
    assert count(twice, picture([LEFT, RIGHT])) == dict(
        pictures=1, people=2, found=1, extra=1
    )
    far = (7, 0, 27, 40)  # 0.48
    assert count([([far], [0.9])], picture([LEFT]))['found'] == 0


def test_boxes_in_crowds_do_not_count():
    inside = (10, 65, 20, 90)
    counted = count([([inside, LEFT], (0.9, 0.8))], picture([LEFT, BELOW], crowds=[1]))
    assert counted == dict(pictures=1, people=1, found=1, extra=0)


def test_pictures_without_people_and_without_boxes():
    nothing = ([], [])
    counted = count([nothing, ([LEFT], [0.5])], picture([RIGHT]), picture([]))
    assert counted == dict(pictures=2, people=1, found=0, extra=1)
    counted = count([nothing], picture([RIGHT]))
    assert counted == dict(pictures=1, people=1, found=0, extra=0)


def test_pictures_are_read_from_coco_style_folders(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((8, 12, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / 'b.png'), np.full((8, 12, 3), 9, np.uint8))
    content = dict(
        images=[dict(id=4, file_name='a.png'), dict(id=2, file_name='b.png')],
        annotations=[
            dict(image_id=2, bbox=[1, 2, 3, 4]),
            dict(image_id=2, bbox=[0, 0, 12, 8], iscrowd=1),
        ],
    )
    labels = tmp_path / 'labels.json'
    labels.write_text(json.dumps(content))
    empty, full = read_boxed_pictures(labels, tmp_path)
    assert len(empty.boxes) == 0
    assert (empty.read() == 7).all()
    np.testing.assert_array_equal(full.boxes, [(1, 2, 4, 6), (0, 0, 12, 8)])
    assert full.crowds.tolist() == [False, True]
    assert (full.read() == 9).all()
    (tmp_path / 'a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.png does not exist'):
        read_boxed_pictures(labels, tmp_path)
    labels.write_text(json.dumps({'images': [], 'annotations': [{'image_id': 1}]}))
    with pytest.raises(ValueError, match=r"labels\.json must be .* \(KeyError\('bbox"):
        read_boxed_pictures(labels, tmp_path)


@pytest.fixture
def keypoints(tmp_path):
    """The truth of a film as a file of tracked 2D keypoints."""
    with np.load(FILM.with_suffix('.npz')) as truth:
        count = len(truth['bbox_xyxy'])
        arrays = dict(
            frame=np.arange(count),
            track=np.zeros(count, int),
            keypoints=truth['keypoints_2d'],
            scores=np.ones((count, 17)),
            bbox_xyxy=truth['bbox_xyxy'],
            width=int(truth['width']),
            height=int(truth['height']),
            fps=float(truth['fps']),
            n_frames=count,
        )
    np.savez(tmp_path / 'walk.npz', **arrays)
    return tmp_path / 'walk.npz'


def test_frames_of_films_are_read_with_their_boxes(keypoints):
    pictures = read_boxed_film(FILM, keypoints, every=50)
    with np.load(keypoints) as arrays:
        boxes, size = arrays['bbox_xyxy'], (arrays['height'], arrays['width'], 3)
    assert len(pictures) == 3
    for number, each in enumerate(pictures):
        np.testing.assert_allclose(each.boxes, boxes[50 * number][None])
        assert each.read().shape == size
    whole = count_found(
        Detector(*[([boxes[50 * number]], [1.0]) for number in range(3)]), pictures
    )
    assert whole == dict(pictures=3, people=3, found=3, extra=0)


def test_tool_counts_and_refuses_in_one_line(keypoints, tmp_path, run_tool):
    out = tmp_path / 'new' / 'numbers.json'
    args = ['--film', FILM, keypoints, '--every', 60, '--det-model', 'whole_image']
    code, err = run_tool('evaluate_detector', *args, '--pose2d', 'gtpt-t', '--out', out)
    assert code == 0, err
    row = json.loads(out.read_text())['rows'][str(FILM)]
    assert {**row, 'seconds': 0} == dict(
        pictures=3, people=3, found=0, extra=3, seconds=0
    )
    for wrong, message in (
        ([], 'give labelled --pictures or a --film'),
        ([*args, '--every', 0], '--every must be at least 1, got 0'),
        (['--film', 'none.mp4', keypoints], 'none.mp4 does not exist'),
        (['--pictures', 'none.json', tmp_path], 'none.json does not exist'),
    ):
        code, err = run_tool('evaluate_detector', *wrong)
        assert code == 2
        assert message in err
        assert 'Traceback' not in err
