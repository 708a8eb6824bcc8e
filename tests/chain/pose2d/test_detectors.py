"""A 2D model that calls for people by itself."""

import numpy as np
import pytest

from mmhot.chain.pose2d import interfaces
from mmhot.chain.pose2d.detectors import (
    PoseVerifiedDetector,
    Verification,
    filter_boxes,
)
from mmhot.structures.people import People, compare_all, compare_people

WIDTH, HEIGHT = 320, 240
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


class Estimator(interfaces.PoseEstimator):
    """Knows people; the better they fill the box, the higher the confidence."""

    name = 'stand-in'
    identity = {'name': name}
    skeleton = 'coco-17'

    def __init__(self, *people):
        corners = [np.array(person, float).reshape(2, 2) for person in people]
        places = np.stack([np.linspace(0, 1, 17), np.linspace(0, 1, 17) ** 2], 1)
        self.people = [low + places * (high - low) for low, high in corners]

    def __call__(self, images, boxes):
        raise AssertionError('takes twice as long')

    def estimate_fast(self, images, boxes):
        assert len(images) == len(boxes) == 1
        found = [self.look(box) for box in boxes[0]]
        points = np.float32([each for each, _ in found]).reshape(-1, 17, 2)
        return [(points, np.float32([own for _, own in found]).reshape(-1, 17))]

    def look(self, box):
        low, high = box[:2], box[2:]
        for person in self.people:
            inside = ((person >= low) & (person <= high)).all(1)
            if inside.all():
                filled = np.ptp(person[:, 1]) / (high - low)[1]
                return person, np.full(17, min(1, 1.2 * filled))
        return np.tile((low + high) / 2, (17, 1)), np.full(17, 0.05)


class Candidates(interfaces.Detector):
    """Returns the same boxes for every image, with falling scores."""

    name = 'candidates'
    identity = {'name': name}

    def __init__(self, *boxes, least=0.5):
        self.boxes = np.float32(boxes).reshape(-1, 4)
        self.scores = np.linspace(0.9, least, len(boxes), dtype=np.float32)

    def __call__(self, images):
        return [(self.boxes, self.scores)] * len(images)


CLUTTER = [(0, 0, 50, 70), (150, 10, 310, 230), (100, 100, 140, 200)]


@pytest.mark.parametrize(
    ('people', 'wanted'),
    [
        # boxes of the detector, 5 pixels around, and of the keypoints, a tenth around
        ([(60, 80, 100, 170)], [(55, 75, 105, 175)]),
        # between both; and of the keypoints, found in a loose box of a higher score
        (
            [(20, 60, 60, 160), (220, 30, 280, 200)],
            [(14, 54, 66, 166), (203, 13, 297, 217)],
        ),
    ],
)
def test_people_are_found_once_each(people, wanted):
    around = [np.add(box, [-m, -m, m, m]) for box in people for m in (5, 12, 30)]
    detector = PoseVerifiedDetector(Estimator(*people), Candidates(*CLUTTER, *around))
    found = detector([IMAGE, IMAGE])
    assert len(found) == 2
    for boxes, scores in found:
        boxes = boxes[np.argsort(boxes[:, 0])]
        np.testing.assert_allclose(boxes, wanted, atol=1)
        assert (scores > 0.5).all()


def test_overlapping_people_are_both_kept():
    parent, child = (60, 10, 140, 220), (65, 120, 100, 205)
    around = [np.add(box, [-5, -5, 5, 5]) for box in (parent, child)]
    detector = PoseVerifiedDetector(Estimator(parent, child), Candidates(*around))
    [(boxes, _)] = detector([IMAGE])
    assert sorted(boxes[:, 3].round()) == [210, 234]
    # their boxes overlap by 0.15
    found = detector([IMAGE])[0]
    assert len(filter_boxes(found, 0.3, detector.nms_thr)[0]) == 2
    assert len(filter_boxes(found, 0.3, nms_thr=0.12)[0]) == 1


@pytest.mark.parametrize(('width', 'size'), [(WIDTH, 110 / WIDTH), (900, 0.25)])
def test_scores_combine_both_models(width, size):
    image = np.zeros((HEIGHT, width, 3), np.uint8)
    person = (60, 80, 100, 170)
    detector = PoseVerifiedDetector(Estimator(person), Candidates((50, 70, 110, 180)))
    [(boxes, scores)] = detector([image])
    # the first box has 110 pixels, the second the person and a tenth of its height
    confidence = [1.2 * 90 / 110, 1.2 * 90 / (1.2 * 90)]
    expected = 0.9**0.4 * size**0.2 * np.sqrt(np.prod(confidence))
    np.testing.assert_allclose(boxes, [[50, 70, 110, 180]])
    np.testing.assert_allclose(scores, [expected], rtol=1e-5)
    detector.limits = Verification(min_score=expected + 1e-3)
    assert not len(detector([image])[0][0])


def track(detector, boxes):
    [poses] = detector.estimator.estimate_fast([IMAGE], [boxes])
    return People(boxes, np.ones(len(boxes)), *poses)


def test_tracked_people_need_no_candidate():
    person, other = (60, 80, 100, 170), (200, 30, 240, 120)
    around = np.float32([np.add(other, [-4, -6, 4, 6]), CLUTTER[0]])
    detector = PoseVerifiedDetector(
        Estimator(person, other), Candidates((50, 70, 110, 180))
    )
    assert len(detector([IMAGE])[0][0]) == 1
    boxes, scores = detector.redetect(IMAGE, track(detector, around))
    # false positives that were tracked are dropped
    np.testing.assert_allclose(boxes[:, 0].round(), [191, 50])
    # 90 pixels in a box of 102, then twice 90 pixels in 110
    np.testing.assert_allclose(scores[0], 1.0)
    assert scores[1] < 1
    no_people = track(detector, around).take([])
    boxes, _ = detector.redetect(IMAGE, no_people)
    assert len(boxes) == 1


def test_boxes_are_left_out_as_in_mmpose():
    boxes = np.float32(
        [[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [90, 0, 99, 9]]
    )
    scores = np.float32([0.5, 0.9, 0.3, 0.31])
    filtered, filtered_scores = filter_boxes((boxes, scores), 0.3, nms_thr=0.3)
    np.testing.assert_allclose(filtered, boxes[[1, 3]])
    np.testing.assert_allclose(filtered_scores, [0.9, 0.31])
    assert len(filter_boxes((boxes, scores), 0.3, nms_thr=0.9)[0]) == 3
    none, _ = filter_boxes((boxes[:0], scores[:0]), 0.3, nms_thr=0.3)
    assert none.shape == (0, 4)


@pytest.mark.parametrize(('confident', 'expected'), [(0, 0.6), (2, 0.6), (4, 1.0)])
def test_people_with_few_confident_keypoints_are_compared_by_boxes(confident, expected):
    person = np.concatenate([np.zeros((17, 2)), [[0, 0], [10, 10]]])
    other = np.concatenate([np.zeros((17, 2)), [[0, 0], [10, 6]]])
    _, similarity = compare_people(person, other, np.arange(19) < confident)
    assert similarity == pytest.approx(expected)


def test_tracked_people_in_front_of_others_are_kept():
    """A child before a parent who bends: similar keypoints, but both were tracked."""
    parent, child = (60, 10, 140, 220), (65, 60, 115, 190)
    around = np.float32([np.add(box, [-5, -5, 5, 5]) for box in (parent, child)])
    detector = PoseVerifiedDetector(Estimator(parent, child), Candidates())
    tracked = track(detector, around)
    assert 0.2 < compare_all(tracked, tracked)[0, 1] < 0.75
    assert len(detector.redetect(IMAGE, tracked)[0]) == 2
    # two tracks of one person
    again = track(detector, np.repeat(around[:1], 2, 0))
    assert len(detector.redetect(IMAGE, again)[0]) == 1
