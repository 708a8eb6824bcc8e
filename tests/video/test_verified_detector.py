"""A 2D model that looks for people by itself."""

import numpy as np
import pytest

from mmhot.video.sources import verified_detector as scanning
from mmhot.video.sources.box_filter import BoxFilter
from mmhot.video.sources.pose_source import open_pose_source
from mmhot.video.sources.verified_detector import ScanningDetector

WIDTH, HEIGHT = 320, 240
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


class Estimator:
    """Sees upright people, the surer the better they fill the box."""

    name = 'stand-in'
    identity = {'name': name}
    skeleton = 'coco-17'

    def __init__(self, *people):
        corners = [np.array(person, float).reshape(2, 2) for person in people]
        places = np.stack([np.linspace(0, 1, 17), np.linspace(0, 1, 17) ** 2], 1)
        self.people = [low + places * (high - low) for low, high in corners]

    def __call__(self, images, boxes):
        assert len(images) == len(boxes) == 1
        found = [self.look(box) for box in boxes[0]]
        points, scores = zip(*found, strict=True)
        return [(np.float32(points), np.float32(scores))]

    def look(self, box):
        low, high = box[:2], box[2:]
        for person in self.people:
            inside = ((person >= low) & (person <= high)).all(1)
            if inside.all():
                filled = np.ptp(person[:, 1]) / (high - low)[1]
                return person, np.full(17, min(1, 1.2 * filled))
        return np.tile((low + high) / 2, (17, 1)), np.full(17, 0.05)


class Suspicious:
    """Suspects the same boxes everywhere, with falling scores."""

    name = 'suspicious'
    identity = {'name': name}

    def __init__(self, *boxes, least=0.5):
        self.boxes = np.float32(boxes).reshape(-1, 4)
        self.scores = np.linspace(0.9, least, len(boxes), dtype=np.float32)

    def __call__(self, images):
        return [(self.boxes, self.scores)] * len(images)


THINGS = [(0, 0, 50, 70), (150, 10, 310, 230), (100, 100, 140, 200)]


@pytest.mark.parametrize(
    'people', [[(60, 80, 100, 170)], [(20, 60, 60, 160), (220, 30, 280, 200)]]
)
def test_people_are_found_once_each(people):
    around = [np.add(box, [-m, -m, m, m]) for box in people for m in (5, 12, 30)]
    detector = ScanningDetector(Estimator(*people), Suspicious(*THINGS, *around))
    found = detector([PICTURE, PICTURE])
    assert len(found) == 2
    for boxes, scores in found:
        boxes = boxes[np.argsort(boxes[:, 0])]
        assert len(boxes) == len(people)
        for box, person in zip(boxes, people, strict=True):
            room = 0.1 * (person[3] - person[1])
            wanted = np.add(person, [-room, -room, room, room]).clip(0)
            np.testing.assert_allclose(box, wanted, atol=1)
        assert (scores > 0.5).all()


def test_a_child_before_a_parent_is_somebody_else():
    parent, child = (60, 10, 140, 220), (65, 120, 100, 205)
    around = [np.add(box, [-5, -5, 5, 5]) for box in (parent, child)]
    detector = ScanningDetector(Estimator(parent, child), Suspicious(*around))
    [(boxes, _)] = detector([PICTURE])
    assert sorted(boxes[:, 3].round()) == [214, 240]
    # their boxes overlap by 0.18
    assert len(BoxFilter(detector)([PICTURE])[0][0]) == 2
    assert len(BoxFilter(detector, nms_thr=0.15)([PICTURE])[0][0]) == 1


def test_scores_are_those_of_both():
    person = (60, 80, 100, 170)
    detector = ScanningDetector(Estimator(person), Suspicious((50, 70, 110, 180)))
    [(boxes, scores)] = detector([PICTURE])
    # of 110 pixels first, and then of the person and a tenth of its height around
    sure = [1.2 * 90 / 110, 1.2 * 90 / (1.2 * 90)]
    expected = 0.9**0.25 * np.sqrt(np.prod(sure))
    np.testing.assert_allclose(boxes, [[51, 71, 109, 179]], atol=1e-3)
    np.testing.assert_allclose(scores, [expected], rtol=1e-5)
    detector = ScanningDetector(
        detector.estimator, detector.detector, min_score=expected + 1e-3
    )
    assert not len(detector([PICTURE])[0][0])


@pytest.mark.parametrize('suspects', [[], THINGS])
def test_nobody_is_found_where_nobody_is(suspects):
    detector = ScanningDetector(Estimator(), Suspicious(*suspects))
    [(boxes, scores)] = detector([PICTURE])
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_the_likeliest_suspects_go_through_the_model_in_batches(monkeypatch):
    sizes = []

    class Counting(Estimator):
        def __call__(self, images, boxes):
            sizes.append(len(boxes[0]))
            return super().__call__(images, boxes)

    monkeypatch.setattr(scanning, '_BATCH', 7)
    monkeypatch.setattr(scanning, '_MOST', 20)
    things = [(x, 10, x + 30, 90) for x in range(30)]
    person = (200, 80, 240, 170)
    suspects = Suspicious(person, *things)
    [(boxes, _)] = ScanningDetector(Counting(person), suspects)([PICTURE])
    assert len(boxes) == 1
    assert sizes == [7, 7, 6, 1]
    # among the unlikely ones nobody looks
    last = Suspicious(*things, person)
    assert not len(ScanningDetector(Estimator(person), last)([PICTURE])[0][0])


def test_both_looks_are_glances():
    looks = []

    class Glancing(Estimator):
        def __call__(self, images, boxes):
            raise AssertionError('takes twice as long')

        def glance(self, images, boxes):
            looks.append(len(boxes[0]))
            return Estimator.__call__(self, images, boxes)

    person = (60, 80, 100, 170)
    suspects = Suspicious(person, *THINGS)
    [(boxes, _)] = ScanningDetector(Glancing(person), suspects)([PICTURE])
    assert len(boxes) == 1
    assert looks == [4, 1]


def test_who_was_followed_need_not_be_suspected_again():
    person, other = (60, 80, 100, 170), (200, 30, 240, 120)
    around = np.float32([np.add(other, [-4, -6, 4, 6]), THINGS[0]])
    detector = ScanningDetector(
        Estimator(person, other), Suspicious((50, 70, 110, 180))
    )
    assert len(detector([PICTURE])[0][0]) == 1
    boxes, scores = detector.again(PICTURE, around)
    # what was followed by mistake is gone
    np.testing.assert_allclose(boxes[:, 0].round(), [191, 51])
    # of 90 pixels in a box of 102, then of twice 90 in 110
    np.testing.assert_allclose(scores[0], 1.0)
    assert scores[1] < 1
    boxes, _ = detector.again(PICTURE, np.zeros((0, 4), np.float32))
    assert len(boxes) == 1


def test_who_is_suspected_and_followed_is_found_once():
    person = (60, 80, 100, 170)
    detector = ScanningDetector(Estimator(person), Suspicious((50, 70, 110, 180)))
    boxes, _ = detector.again(PICTURE, np.float32([[55, 75, 105, 175]]))
    assert len(boxes) == 1
    nobody = ScanningDetector(Estimator(person), Suspicious())
    boxes, _ = nobody.again(PICTURE, np.float32([[55, 75, 105, 175]]))
    np.testing.assert_allclose(boxes, [[51, 71, 109, 179]], atol=1e-3)


def test_scan_is_chosen_by_name(monkeypatch):
    monkeypatch.setattr(
        'mmhot.video.sources.pose_source._open_estimator', lambda *_: Estimator()
    )
    source = open_pose_source('a.onnx', det_model='scan')
    assert isinstance(source.detector, ScanningDetector)
    assert source.detector.name == (
        'rtmdet-nano_1xb32-12e_rendered-320x320, checked by stand-in'
    )
    with pytest.raises(ValueError, match='--det-weights'):
        open_pose_source('a.onnx', det_model='scan', det_weights='x.pth')
    monkeypatch.setattr(
        'mmhot.video.sources.pose_source.shipped_detector', lambda: None
    )
    with pytest.raises(ValueError, match='scan needs the detector that comes with'):
        open_pose_source('a.onnx', det_model='scan')


def test_identity_depends_on_the_rules(monkeypatch):
    detector = ScanningDetector(Estimator(), Suspicious())
    before = detector.identity
    assert detector.identity == before
    monkeypatch.setattr(scanning, '_RULES', 0)
    assert detector.identity != before
