"""Counts of detected people in labeled images and videos."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from projects.rendered_people.cross_validation import ScoredImage, cross_validate
from projects.rendered_people.evaluate_detector import (
    LabeledImage,
    count_found,
    read_labeled_images,
    read_labeled_video,
    score_detections,
)

VIDEO = Path(__file__).parents[3] / 'demo' / 'walk.mp4'
LABELS = VIDEO.with_suffix('.npz')


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


def scored(heights=(), found=(), extra=()):
    return ScoredImage(*(np.array(x, float) for x in (heights, found, extra)))


def test_thresholds_are_chosen_on_other_images():
    labeled = [
        scored([300, 70], [0.9, 0.5], [0.8]),
        scored([100], [0.7], [0.6]),
        scored([30], [0.65], [0.1]),
    ]
    counts = cross_validate(labeled, [scored()] * 3, extra=1)
    # two images allow none, so that each is chosen by the others' highest
    assert counts['threshold'] == 0.6
    assert counts['found from 64 px'].startswith('1 [')
    assert counts['found from 256 px'].endswith('of 1')
    assert counts['extra in 3 images'].startswith('1 [')
    # images without people raise it
    empty = [scored(extra=[0.95]), scored(extra=[0.92]), scored()]
    counts = cross_validate(labeled, empty, extra=1)
    assert counts['threshold'] == 0.92
    assert counts['found from 0 px'].startswith('0 [')


def test_scores_of_an_image_tell_counts_at_any_threshold():
    image = labeled([LEFT, RIGHT, BELOW], crowds=[2])
    inside, far = (10, 65, 20, 90), (30, 0, 45, 20)
    detected = [([LEFT, inside, far], (0.9, 0.8, 0.7))]
    got = score_detections(Detector(*detected), image)
    np.testing.assert_allclose(got.heights, [40, 40])
    np.testing.assert_allclose(got.found, [0.9, 0])
    np.testing.assert_allclose(got.extra, [0.7])
    assert not len(score_detections(Detector(([], [])), image).extra)
