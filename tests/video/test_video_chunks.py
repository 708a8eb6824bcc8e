"""People in the frames between two detections."""

import numpy as np
import pytest

from mmhot.video.chunks import track_chunk
from mmhot.video.filling import fill_chunk
from mmhot.video.frames import Frame
from mmhot.video.people import People, are_upright, box_iou

SIZE = (400, 300)
OFFSETS = np.stack([np.linspace(-10, 10, 17), np.linspace(-30, 30, 17)], -1)


def estimate_chunk(frames, previous, estimate, redetect):
    keyframes = track_chunk(frames, previous, estimate, redetect)
    return fill_chunk(frames, keyframes, estimate)


class World:
    """Draws nothing: people are boxes that move, and are seen in boxes around them.

    Args:
        paths (list): For each person a function of the frame number, its center (x, y)
            or None if not there.
    """

    def __init__(self, *paths):
        self.paths = paths
        self.calls = []
        self.num_detections = 0

    def truth(self, number):
        centers = [path(number) for path in self.paths]
        return np.float32([c for c in centers if c is not None]).reshape(-1, 2)

    def estimate(self, frames, boxes, confidence):
        self.calls.append([len(own) for own, _ in boxes])
        return [
            self.look(frame.index, own, scores)
            for frame, (own, scores) in zip(frames, boxes, strict=True)
        ]

    def look(self, number, boxes, box_scores):
        """See the person nearest to each box; confident if the box fits."""
        truth = self.truth(number)
        points = np.full((len(boxes), 17, 2), np.nan, np.float32)
        scores = np.zeros((len(boxes), 17), np.float32)
        for row, box in enumerate(boxes):
            if not len(truth):
                continue
            distance = np.linalg.norm(truth - (box[:2] + box[2:]) / 2, axis=1)
            nearest = truth[distance.argmin()]
            overlap = box_iou(box, self.boxes_of(nearest[None])[0])
            points[row] = nearest + OFFSETS
            scores[row] = 0.9 if overlap > 0.2 else 0.1
        return People(np.float32(boxes), box_scores, points, scores)

    def redetect(self, frame, tracked):
        self.num_detections += 1
        boxes = self.boxes_of(self.truth(frame.index))
        return boxes, np.full(len(boxes), 0.7, np.float32)

    @staticmethod
    def boxes_of(centers):
        low, high = OFFSETS.min(0) - 9, OFFSETS.max(0) + 9
        return np.concatenate([centers + low, centers + high], 1).astype(np.float32)

    def run(self, count, known=True, detect=True):
        frames = [
            Frame(number, number / 25, np.zeros((*SIZE[::-1], 3), np.uint8))
            for number in range(count)
        ]
        before = self.look(
            0, self.boxes_of(self.truth(0) if known else np.zeros((0, 2))), np.ones(0)
        )
        before.bbox_scores = np.full(len(before.bboxes), 0.7, np.float32)
        return estimate_chunk(
            frames, [before], self.estimate, self.redetect if detect else None
        )


def centers(people):
    return people.keypoints.mean(1)


@pytest.mark.parametrize('speed', [0, 2, 6])
def test_moving_people_are_followed_in_few_batches(speed):
    world = World(lambda n: (60 + speed * n, 100), lambda n: (350 - speed * n, 230))
    people = world.run(25)
    for number, found in enumerate(people):
        order = np.argsort(centers(found)[:, 1])
        np.testing.assert_allclose(
            centers(found)[order], world.truth(number), atol=1e-3
        )
    assert len(world.calls) <= 12
    assert sum(map(sum, world.calls)) <= 60


def test_turning_back_is_followed():
    world = World(lambda n: (200 + 60 * np.sin(n / 4), 150))
    for number, found in enumerate(world.run(30)):
        np.testing.assert_allclose(centers(found), world.truth(number), atol=1e-3)


def test_new_people_are_searched_backwards():
    world = World(lambda n: (60, 100), lambda n: (300, 150) if n >= 9 else None)
    counts = [len(found) for found in world.run(25)]
    assert counts == [1] * 9 + [2] * 16
    assert world.num_detections == 1


def test_people_who_leave_are_dropped():
    world = World(lambda n: (60, 100), lambda n: (300, 150) if n < 14 else None)
    counts = [len(found) for found in world.run(25)]
    assert counts == [2] * 14 + [1] * 11


def test_people_found_twice_are_one():
    """A person lost on the way is detected again."""
    world = World(lambda n: (60, 100) if not 8 <= n < 12 else None)
    counts = [len(found) for found in world.run(25)]
    assert counts == [1] * 8 + [0] * 4 + [1] * 13


def test_without_people_only_the_last_frame_is_looked_at():
    world = World(lambda n: None)
    assert [len(found) for found in world.run(25)] == [0] * 25
    assert sum(map(sum, world.calls)) == 0
    assert world.num_detections == 1


def test_without_detection_people_are_tracked_to_the_end():
    world = World(lambda n: (60 + n, 100), lambda n: (300, 150) if n > 3 else None)
    assert [len(found) for found in world.run(7, detect=False)] == [1] * 7
    assert world.num_detections == 0


def test_single_frames_are_detected():
    world = World(lambda n: (60, 100))
    [found] = world.run(1, known=False)
    np.testing.assert_allclose(centers(found), [(60, 100)], atol=1e-3)


def test_scores_of_boxes_stay():
    world = World(lambda n: (60 + 2 * n, 100))
    for found in world.run(25):
        np.testing.assert_allclose(found.bbox_scores, [0.7])


def test_motion_before_the_chunk_saves_keyframes():
    world = World(lambda n: (60 + 3 * n, 100))
    frames = [
        Frame(number, number / 25, np.zeros((*SIZE[::-1], 3), np.uint8))
        for number in range(10, 35)
    ]
    before = [world.look(n, world.boxes_of(world.truth(n)), np.ones(1)) for n in (5, 9)]
    people = estimate_chunk(frames, before, world.estimate, world.redetect)
    for number, found in zip(range(10, 35), people, strict=True):
        np.testing.assert_allclose(centers(found), world.truth(number), atol=1e-3)
    # frames 13, 21, 29, 30 and 34, then all others
    assert [sum(call) for call in world.calls if sum(call)] == [1, 1, 1, 1, 1, 20]


def test_people_are_upright_with_hips_below_their_shoulders():
    standing = np.zeros((17, 2), np.float32)
    standing[[5, 6]], standing[[11, 12]] = (10, 20), (15, 60)
    lying = standing[:, ::-1]
    unknown = np.full((17, 2), np.nan)
    people = np.stack([standing, -standing, lying, unknown])
    assert are_upright(people).tolist() == [True, False, False, False]
    assert are_upright(people[:, :10]).tolist() == [False] * 4


def test_confidence_matters_only_for_people_who_are_not_upright():
    known = []

    class Turned(World):
        def estimate(self, frames, boxes, confidence):
            known.append([own.tolist() for own in confidence])
            found = super().estimate(frames, boxes, confidence)
            for people in found:
                people.keypoints[people.keypoints[..., 0].mean(1) > 200] *= (1, -1)
                people.keypoints[people.keypoints[..., 1] < 0] += (0, 200)
            return found

    Turned(lambda n: (100 + n, 100), lambda n: (300 + n, 100)).run(25)
    filled = known[-1]
    assert len(filled) > 15
    for first, second in filled:
        assert first == -np.inf
        assert second == pytest.approx(0.9)
