"""People in the frames between two detections."""

import numpy as np
import pytest

from mmhot.chain.pose2d.chunks import ChunkTracker
from mmhot.chain.pose2d.filling import Gaps, fill_chunk
from mmhot.chain.pose2d.interfaces import Prior
from mmhot.chain.pose2d.pose_search import PoseSearch
from mmhot.structures.people import People, are_upright, box_iou, quarter_turns

SIZE = (400, 300)
OFFSETS = np.stack([np.linspace(-10, 10, 17), np.linspace(-30, 30, 17)], -1)


SECOND = np.arange(25) / 25


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
        self.first = 0

    def truth(self, number):
        centers = [path(number) for path in self.paths]
        return np.float32([c for c in centers if c is not None]).reshape(-1, 2)

    def estimate(self, places, boxes, prior):
        """Estimate people in frames of a chunk that begins with frame ``first``."""
        self.calls.append(len(places))
        looks = zip(places.tolist(), *boxes, strict=True)
        people = [
            self.look(self.first + place, box[None], np.float32([score]))
            for place, box, score in looks
        ]
        return People.none(17).join(*people)

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

    def redetect(self, place, tracked):
        self.num_detections += 1
        boxes = self.boxes_of(self.truth(self.first + place))
        return boxes, np.full(len(boxes), 0.7, np.float32)

    @staticmethod
    def boxes_of(centers):
        low, high = OFFSETS.min(0) - 9, OFFSETS.max(0) + 9
        return np.concatenate([centers + low, centers + high], 1).astype(np.float32)

    def seen(self, number):
        """The people of a frame before the chunk."""
        boxes = self.boxes_of(self.truth(number))
        return self.look(number, boxes, np.full(len(boxes), 0.7, np.float32))

    def track(self, times, before=(0,), gaps=Gaps()):  # noqa: B008
        """Keyframes of a chunk, after the people of frames before it."""
        search, max_step = PoseSearch(self.estimate, SIZE), gaps.max_step(times)
        before = [*map(self.seen, before)]
        return ChunkTracker(len(times), before, search, self.redetect).track(max_step)

    def run(self, times=SECOND, before=(0,), gaps=Gaps()):  # noqa: B008
        """People of the frames of a chunk."""
        keyframes = self.track(times, before, gaps)
        return fill_chunk(times, keyframes, PoseSearch(self.estimate, SIZE), gaps)


@pytest.mark.parametrize('speed', [0, 2, 6])
def test_moving_people_are_followed_in_few_batches(speed):
    world = World(lambda n: (60 + speed * n, 100), lambda n: (350 - speed * n, 230))
    for number, found in enumerate(world.run()):
        centers = found.keypoints.mean(1).tolist()
        ordered = sorted(centers, key=lambda center: center[1])
        np.testing.assert_allclose(ordered, world.truth(number), atol=1e-3)
    assert len(world.calls) <= 12
    assert sum(world.calls) <= 60


class Waving(World):
    """A raised arm, in some frames seen hanging unless the box is large."""

    def __init__(self, lowered=lambda n: n % 3 == 2):
        super().__init__(lambda n: (200 + n, 150))
        self.lowered = lowered

    def look(self, number, boxes, box_scores):
        people = super().look(number, boxes, box_scores)
        raised = (people.bboxes[:, 1] <= 83) | (not self.lowered(number))
        people.keypoints[raised, 9, 1] = 103
        people.scores[:, 9] = np.where(raised, 0.7, 0.85)
        return people


@pytest.mark.parametrize('gaps', [Gaps(), Gaps(tolerance=0)])
def test_wrists_that_jump_are_searched_in_larger_boxes(gaps):
    people = Waving().run(gaps=gaps)
    hands = [found.keypoints[0, 9, 1] for found in people]
    np.testing.assert_allclose(hands, 103, atol=1e-3)


def test_wrists_that_have_moved_stay():
    """Both boxes show the arm that was lowered."""
    world = Waving()
    world.look = lambda number, *boxes: Waving(lambda n: n > 9).look(
        number, *(boxes if number <= 9 else (boxes[0] + [0, 40, 0, 0], boxes[1]))
    )
    hands = np.array([found.keypoints[0, 9, 1] for found in world.run()])
    np.testing.assert_allclose(hands[:10], 103, atol=1e-3)
    assert (hands[10:] > 150).all()


class Narrow(World):
    """People are seen in boxes that fit them well."""

    def look(self, number, boxes, box_scores):
        people = super().look(number, boxes, box_scores)
        real = self.boxes_of(people.keypoints.mean(1))
        people.scores[box_iou(people.bboxes, real) < 0.6] = 0.1
        return people


class Flinging(World):
    """A person whose legs are seen in large boxes only, upright (1) or not (-1)."""

    def __init__(self, up):
        super().__init__(lambda n: (200, 150))
        self.up = up

    def look(self, number, boxes, box_scores):
        people = super().look(number, boxes, box_scores)
        is_large = people.bboxes[:, 3] - people.bboxes[:, 1] > 85
        people.scores[:] = np.where(is_large, 0.75, 0.7)[:, None]
        people.keypoints[..., 1] = 150 + self.up * OFFSETS[:, 1]
        people.keypoints[~is_large, 13:] = (200, 150)
        return people


@pytest.mark.parametrize(('up', 'feet'), [(1, (200, 150)), (-1, (210, 120))])
def test_who_is_not_upright_is_searched_in_a_larger_box(up, feet):
    world = Flinging(up)
    search = PoseSearch(world.estimate, SIZE)
    boxes = world.boxes_of(world.truth(0)), np.ones(1, np.float32)
    found = search.find(0, boxes, Prior.unknown(1))
    np.testing.assert_allclose(found.keypoints[0, 16], feet, atol=1e-3)
    assert box_iou(found.bboxes, search.boxes_of(found)) > 0.99 or up == 1


def test_who_is_lost_between_two_detections_is_found_at_the_next_one():
    """A sudden step leaves the predicted box; the end is tracked backwards."""
    world = Narrow(lambda n: (60, 200), lambda n: (140, 60) if n < 9 else (152, 60))
    assert [len(people) for people in world.run()] == [2] * 25
    assert world.num_detections == 1


class Sliding(World):
    """For some frames, the first person's pose is the second's in boxes up to her."""

    up_to = 0

    def look(self, number, boxes, box_scores):
        if 9 <= number < 19:
            slides = (boxes[:, :1] < 270) & (boxes[:, 2:3] > self.up_to)
            boxes = np.where(slides, self.boxes_of([(300, 150)]), boxes)
        return super().look(number, boxes, box_scores)


@pytest.mark.parametrize(('up_to', 'seen'), [(0, 1), (301, 2)])
def test_who_slides_onto_another_person_is_searched_beside_or_lost(up_to, seen):
    world = Sliding(lambda n: (285, 150), lambda n: (300, 150))
    world.up_to = up_to
    counts = [len(people) for people in world.run(gaps=Gaps(tolerance=0))]
    # From the keyframe 16 to the next one, nothing is searched beside a body.
    assert counts == [2] * 9 + [seen] * 8 + [2] * 8
    people = world.run()[-1]
    assert sorted(people.keypoints[..., 0].mean(1).round()) == [285, 300]


@pytest.mark.parametrize(
    ('is_there', 'detections'),
    [
        (lambda n: n >= 9, 1),  # new people are searched backwards
        (lambda n: False, 1),  # only the last frame is looked at
        # lost in the middle of a gap, of keyframes 6 and 14: searched in its others
        (lambda n: n not in (9, 10), 1),
    ],
    ids=['new', 'no people', 'lost in a gap'],
)
def test_people_are_found_in_all_frames_with_them(is_there, detections):
    world = World(lambda n: (100, 100) if is_there(n) else None)
    assert [len(found) for found in world.run()] == [
        int(is_there(n)) for n in range(25)
    ]
    assert world.num_detections == detections
    assert any(world.calls) == is_there(24)


def test_new_people_are_not_searched_before_the_chunk():
    """The frames before it are not there to look at."""
    world = World(lambda n: (60, 100), lambda n: (300, 150) if n >= 10 else None)
    world.first = 10
    counts = {key.position: len(key.ids) for key in world.track(SECOND, (5, 9))}
    assert counts.pop(-5) == counts.pop(-1) == 1
    assert set(counts.values()) == {2}


def test_torsos_are_upright_lie_or_are_upside_down():
    standing = np.zeros((17, 2), np.float32)
    standing[[5, 6]], standing[[11, 12]] = (10, 20), (15, 60)
    lying = standing[:, ::-1]
    unknown = np.full((17, 2), np.nan)
    people = np.stack([standing, -standing, lying, unknown])
    assert are_upright(people).tolist() == [True, False, False, False]
    assert are_upright(people[:, :10]).tolist() == [False] * 4
    # the head of the lying one is on the left
    assert quarter_turns(people).tolist() == [0, 2, 3, 0]
    assert quarter_turns(people[:, :10]).tolist() == [0] * 4


def test_confidence_matters_only_for_people_who_are_not_upright():
    priors = []

    class Turned(World):
        def estimate(self, places, boxes, prior):
            priors.append(prior)
            people = super().estimate(places, boxes, prior)
            people.keypoints[people.keypoints[..., 0].mean(1) > 200] *= (1, -1)
            people.keypoints[people.keypoints[..., 1] < 0] += (0, 200)
            return people

    Turned(lambda n: (100 + n, 100), lambda n: (300 + n, 100)).run()
    filled, second = priors[-1], priors[-1].turns == 2
    assert len(second) >= 8
    assert second.sum() == len(second) / 2
    np.testing.assert_array_equal(filled.turns[~second], 0)
    np.testing.assert_array_equal(filled.confidence[~second], -np.inf)
    np.testing.assert_allclose(filled.confidence[second], 0.9)


def swing(n):
    """A person whose left wrist swings, 1/6 of the size to either side."""
    offsets = OFFSETS.copy()
    offsets[9, 0] += 8 * np.sin(n / 2)
    return offsets


class Moving(World):
    """Sees people at whose keypoints a function of the frame number points."""

    def __init__(self, pose, center=lambda n: (100 + 2 * n, 100)):
        super().__init__(center)
        self.pose = pose

    def look(self, number, boxes, box_scores):
        people = super().look(number, boxes, box_scores)
        people.keypoints += self.pose(number) - OFFSETS
        return people


def test_limbs_that_are_not_predictable_are_estimated_more_often():
    swings, still = Moving(swing), Moving(lambda n: OFFSETS)
    people = swings.run()
    still.run()
    assert sum(swings.calls) > 1.5 * sum(still.calls)
    errors = [
        np.abs(found.keypoints[0] - swings.truth(number) - swing(number)).max()
        for number, found in enumerate(people)
    ]
    assert np.mean(errors) < 1


def test_frames_of_a_varying_rate_are_interpolated_by_time():
    times = np.cumsum([1, 1, 1, 3, 1, 1, 2, 1, 1, 1, 1, 3] * 2) / 75
    world = Moving(lambda n: OFFSETS, lambda n: (100 + 60 * times[max(n, 0)], 100))
    people = world.run(times)
    assert sum(world.calls) < 15
    for number, found in enumerate(people):
        wanted = world.truth(number) + OFFSETS
        np.testing.assert_allclose(found.keypoints[0], wanted, atol=0.1)


def test_every_frame_is_estimated_if_wanted():
    world = Moving(lambda n: OFFSETS)
    world.run(gaps=Gaps(tolerance=0))
    assert sum(world.calls) == 25


@pytest.mark.parametrize(
    ('legs', 'all_joints', 'before', 'accepted'),
    [
        (60, 0, np.nan, True),
        (60, 0, 0.5, False),  # upright, and as certain as in the frame before
        (0, 120, np.nan, False),  # the other person
    ],
)
def test_larger_boxes_find_limbs_outside(legs, all_joints, before, accepted):
    first = np.float32([150, 150]) + OFFSETS
    other, again = first + [120, 0], first + [all_joints, 0]
    again[13:, 1] += legs

    def estimate(places, boxes, prior):
        is_first = len(places) == 2
        points = np.stack([first, other] if is_first else [again])
        scores = np.full((len(points), 17), 0.9)
        scores[0] = 0.5 if is_first else 0.55
        return People(*boxes, points.astype(np.float32), scores.astype(np.float32))

    boxes = np.float32([[135, 115, 165, 185], [255, 115, 285, 185]])
    prior = Prior(np.full(2, before), np.zeros(2, int))
    found = PoseSearch(estimate, SIZE).find(0, (boxes, np.ones(2)), prior)
    assert found.scores[:, 0] == pytest.approx([0.55 if accepted else 0.5, 0.9])
