"""Counts of detected people in labeled images and videos."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.lab.evaluate_detector import (
    LabeledImage,
    count_found,
    read_labeled_images,
    read_labeled_video,
)

VIDEO = Path(__file__).parents[2] / 'demo' / 'walk.mp4'
LABELS = VIDEO.with_suffix('.npz')
CAR, CAT = dict(id=3, name='car'), dict(id=4, name='cat')
WRONG = dict(image_id=1, bbox=[0, 0, -1, 1])


class Detector:
    """Returns given detections."""

    def __init__(self, *detections):
        self.detections = iter(detections)

    def __call__(self, images):
        return [
            (np.array(boxes, float).reshape(-1, 4), np.array(scores, float))
            for boxes, scores in (next(self.detections) for _ in images)
        ]


def labeled(boxes, crowds=()):
    marks = np.zeros(len(boxes), bool)
    marks[list(crowds)] = True
    image = np.zeros((100, 100, 3), np.uint8)
    return LabeledImage(image, np.array(boxes, float).reshape(-1, 4), marks)


LEFT, RIGHT, BELOW = (0, 0, 20, 40), (50, 0, 70, 40), (0, 60, 100, 100)


def count(detected, *images, **options):
    counts = count_found(Detector(*detected), images, **options)
    del counts['ap50']
    return counts


def test_people_are_found_once():
    shifted = (5, 0, 25, 40)  # 0.6 of the union
    twice = [([shifted, LEFT], (0.9, 0.8))]
    assert count(twice, labeled([LEFT, RIGHT])) == dict(
        images=1, people=2, found=1, extra=1
    )
    far = (7, 0, 27, 40)  # 0.48
    assert count([([far], [0.9])], labeled([LEFT]))['found'] == 0


def test_precision_is_averaged_over_recall():
    detected = [([LEFT, BELOW, RIGHT], (0.9, 0.8, 0.7))]
    counts = count_found(Detector(*detected), [labeled([LEFT, RIGHT])])
    # 51 of 101 points of recall with a precision of 1, 50 with one of 2 / 3
    assert counts['ap50'] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-3)


def test_boxes_in_crowds_do_not_count():
    inside = (10, 65, 20, 90)
    counted = count([([inside, LEFT], (0.9, 0.8))], labeled([LEFT, BELOW], crowds=[1]))
    assert counted == dict(images=1, people=1, found=1, extra=0)


def test_small_people_neither_count_nor_make_extra_detections():
    small, beside = (80, 0, 90, 39), (40, 50, 60, 89)
    boxes = [small, LEFT, beside]
    counted = count(
        [(boxes, (0.9, 0.8, 0.7))], labeled([LEFT, RIGHT, small]), min_height=40
    )
    assert counted == dict(images=1, people=2, found=1, extra=1)


def test_images_without_people_and_without_detections_count():
    nothing = ([], [])
    counted = count([nothing, ([LEFT], [0.5])], labeled([RIGHT]), labeled([]))
    assert counted == dict(images=2, people=1, found=0, extra=1)
    counted = count([nothing], labeled([RIGHT]))
    assert counted == dict(images=1, people=1, found=0, extra=0)


def test_labeled_images_are_read_from_coco_style_folders(tmp_path):
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
    empty, full = read_labeled_images(labels, tmp_path)
    assert len(empty.boxes) == 0
    assert (empty.image == 7).all()
    np.testing.assert_array_equal(full.boxes, [(1, 2, 4, 6), (0, 0, 12, 8)])
    assert full.crowds.tolist() == [False, True]
    assert (full.image == 9).all()
    (tmp_path / 'a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'a\.png does not exist'):
        read_labeled_images(labels, tmp_path)


IMAGE = {'id': 1, 'file_name': 'a'}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'images': [], 'annotations': []}, 'it has no images'),
        ({'images': [IMAGE], 'annotations': [{'image_id': 1}]}, "KeyError('bbox')"),
        (
            {'images': [IMAGE], 'annotations': [WRONG]},
            'boxes must be finite',
        ),
        (
            {'images': [IMAGE], 'annotations': [], 'categories': [CAR, CAT]},
            'no category is named person',
        ),
    ],
)
def test_wrong_annotations_are_refused(content, message, tmp_path):
    labels = tmp_path / 'labels.json'
    labels.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_labeled_images(labels, tmp_path)
    assert 'labels.json must be a COCO file with boxes of people' in str(error.value)


def test_other_categories_are_ignored(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 12, 3), np.uint8))
    content = dict(
        images=[dict(id=1, file_name='a.png')],
        annotations=[
            dict(image_id=1, bbox=[1, 2, 3, 4], category_id=3),
            dict(image_id=1, bbox=[0, 1, 3, 4], category_id=9),
        ],
        categories=[CAR, dict(id=9, name='person')],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    [image] = read_labeled_images(tmp_path / 'labels.json', tmp_path)
    np.testing.assert_array_equal(image.boxes, [(0, 1, 3, 5)])


def test_video_frames_are_read_with_their_boxes(tmp_path):
    with np.load(LABELS) as arrays:
        boxes, size = arrays['bbox_xyxy'], (arrays['height'], arrays['width'], 3)
    images = list(read_labeled_video(VIDEO, LABELS, every=50))
    assert len(images) == 3
    for index, each in enumerate(images):
        np.testing.assert_allclose(each.boxes, boxes[50 * index][None])
        assert each.image.shape == size
    detector = Detector(*[([boxes[50 * index]], [1.0]) for index in range(3)])
    counts = dict(images=3, people=3, found=3, extra=0, ap50=1.0)
    assert count_found(detector, images) == counts
    # several boxes in a frame, and none
    np.savez(tmp_path / 'two.npz', bbox_xyxy=boxes[:2], frame=np.array([100, 100]))
    images = read_labeled_video(VIDEO, tmp_path / 'two.npz', every=50)
    assert [len(each.boxes) for each in images] == [0, 0, 2]


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        (dict(frame=np.arange(3)), 'has no array bbox_xyxy (N, 4)'),
        (dict(bbox_xyxy=np.full((2, 4), np.nan)), 'boxes must be finite'),
        (
            dict(bbox_xyxy=np.ones((2, 4)), frame=np.arange(3)),
            'has 2 boxes and 3 frames',
        ),
        (
            dict(bbox_xyxy=np.ones((1, 4)), frame=np.array([136])),
            f'has a box in frame 136, and {VIDEO} has 136 frames',
        ),
    ],
)
def test_boxes_of_another_video_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / 'boxes.npz', **arrays)
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read_labeled_video(VIDEO, tmp_path / 'boxes.npz', every=50))


def test_tool_writes_counts_and_refuses_in_one_line(tmp_path, run_tool):
    out = tmp_path / 'new' / 'numbers.json'
    args = ['--video', VIDEO, LABELS, '--every', 60, '--det-model', 'whole_image']
    code, err = run_tool('evaluate_detector', *args, '--pose2d', 'gtpt-t', '--out', out)
    assert code == 0, err
    [row] = json.loads(out.read_text())['rows']
    del row['seconds']
    assert row == dict(name=str(VIDEO), images=3, people=3, found=0, extra=3, ap50=0.0)
    for wrong, message in (
        ([], 'give labeled --images or a --video'),
        ([*args, '--every', 0], '--every must be at least 1, got 0'),
        (['--video', 'none.mp4', LABELS], 'none.mp4 does not exist'),
        (['--images', 'none.json', tmp_path], 'none.json does not exist'),
    ):
        code, err = run_tool('evaluate_detector', *wrong)
        assert code == 2
        assert message in err
        assert 'Traceback' not in err
