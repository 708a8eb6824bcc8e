"""A 2D model that looks for people by itself."""

import numpy as np
import pytest

from mmhot.video.sources import open_pose_source, scanning
from mmhot.video.sources.scanning import ScanningDetector, boxes_everywhere

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


def test_boxes_of_all_sizes_cover_the_picture():
    boxes = boxes_everywhere(WIDTH, HEIGHT)
    assert 50 < len(boxes) < 400
    assert boxes.min() == 0
    assert boxes[:, 2].max() == pytest.approx(WIDTH)
    assert boxes[:, 3].max() == pytest.approx(HEIGHT)
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides[:, 0], 0.75 * sides[:, 1], rtol=1e-5)
    for share in (1, 0.25):
        covered = np.zeros((HEIGHT, WIDTH), bool)
        for x1, y1, x2, y2 in boxes[np.isclose(sides[:, 1], share * HEIGHT)]:
            covered[int(y1) : int(y2 + 1), int(x1) : int(x2 + 1)] = True
        assert covered.all()


def test_narrow_pictures_are_covered_too():
    boxes = boxes_everywhere(90, 400)
    assert (boxes[:, 2] <= 90.001).all()
    assert boxes[:, 3].max() == pytest.approx(400)


@pytest.mark.parametrize(
    'people', [[(60, 80, 100, 170)], [(20, 60, 60, 160), (220, 30, 280, 200)]]
)
def test_people_are_found_once_each(people):
    detector = ScanningDetector(Estimator(*people))
    [(boxes, scores)] = detector([PICTURE])
    boxes = boxes[np.argsort(boxes[:, 0])]
    assert len(boxes) == len(people)
    for box, person in zip(boxes, people, strict=True):
        room = 0.2 * (person[3] - person[1])
        wanted = np.add(person, [-room, -room, room, room]).clip(0)
        np.testing.assert_allclose(box, wanted, atol=1)
    assert (scores > 0.5).all()


def test_nobody_is_found_where_nobody_is():
    [(boxes, scores)] = ScanningDetector(Estimator())([PICTURE])
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_boxes_go_through_the_model_in_batches(monkeypatch):
    sizes = []

    class Counting(Estimator):
        def __call__(self, images, boxes):
            sizes.append(len(boxes[0]))
            return super().__call__(images, boxes)

    monkeypatch.setattr(scanning, '_BATCH', 50)
    ScanningDetector(Counting((60, 80, 100, 170)))([PICTURE])
    assert max(sizes) == 50
    assert sum(sizes) >= len(boxes_everywhere(WIDTH, HEIGHT))


def test_the_first_look_is_a_glance():
    looks = []

    class Glancing(Estimator):
        def __call__(self, images, boxes):
            looks.append(('look', len(boxes[0])))
            return super().__call__(images, boxes)

        def glance(self, images, boxes):
            looks.append(('glance', len(boxes[0])))
            return super().__call__(images, boxes)

    [(boxes, _)] = ScanningDetector(Glancing((60, 80, 100, 170)))([PICTURE])
    assert len(boxes) == 1
    kinds = [kind for kind, _ in looks]
    assert kinds == sorted(kinds)  # glances, then looks
    everywhere = sum(count for kind, count in looks if kind == 'glance')
    assert everywhere == len(boxes_everywhere(WIDTH, HEIGHT))
    assert kinds.count('look') == 2


def test_scan_is_chosen_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(
        'mmhot.video.sources.choose._open_estimator', lambda *_: Estimator()
    )
    source = open_pose_source('a.onnx', det_model='scan')
    assert isinstance(source.detector, ScanningDetector)
    assert source.detector.name == 'scan by stand-in'
    with pytest.raises(ValueError, match='--det-weights'):
        open_pose_source('a.onnx', det_model='scan', det_weights='x.pth')
