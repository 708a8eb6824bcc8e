"""Quarter turns of crops with a low confidence."""

import numpy as np
import pytest
from pose_sources import FunctionDetector, FunctionEstimator

from mmhot.chain.frames.sources import Frame
from mmhot.chain.keypoints.confidence import DropUncertain
from mmhot.chain.pose2d import turned_crops
from mmhot.chain.pose2d.estimation import VideoPoseEstimator
from mmhot.chain.pose2d.interfaces import Prior
from mmhot.chain.pose2d.turned_crops import TurnedCrops, TurnSettings
from mmhot.chain.tracking.clip_tracks import track_clip
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.people import torso_of

# A person is two dots, a bright head above dim feet; only upright ones are confident.
HEAD, FEET = 250, 120


def estimate(images, boxes):
    """Find both dots; confident if the head is above the feet."""
    estimate.calls += sum(map(len, boxes))
    estimate.runs += 1
    poses = []
    for image, of_image in zip(images, boxes, strict=True):
        points, scores = np.zeros((len(of_image), 2, 2)), np.zeros((len(of_image), 2))
        for person, (x1, y1, x2, y2) in enumerate(np.rint(of_image).astype(int)):
            inside = np.zeros(image.shape[:2], bool)
            inside[max(y1, 0) : y2 + 1, max(x1, 0) : x2 + 1] = True
            for joint, value in enumerate((HEAD, FEET)):
                row, column = np.argwhere(inside & (image[..., 0] == value))[0]
                points[person, joint] = column, row
            head, feet = points[person]
            scores[person] = 0.9 if feet[1] - head[1] > abs(feet[0] - head[0]) else 0.3
        poses.append((points, scores))
    return poses


def draw(head, feet, size=(80, 120)):
    image = np.zeros((*size, 3), np.uint8)
    for (x, y), value in ((head, HEAD), (feet, FEET)):
        image[y, x] = value
    corners = np.array([head, feet])
    return image, np.concatenate([corners.min(0) - 3, corners.max(0) + 3])[None]


def run(images, boxes, turns=None, function=estimate, least=np.nan, **settings):
    """Estimate people in frames of a video, without a flip test."""
    estimate.calls = estimate.runs = 0
    turns = turns or [np.zeros(len(own), int) for own in boxes]
    priors = [Prior(np.full(len(own), least), own) for own in turns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turned_crops, '_SETTINGS', TurnSettings(**settings))
        turned = TurnedCrops(FunctionEstimator(function))
        return turned.estimate_video(images, boxes, priors)


PLACES = [
    ((50, 20), (53, 60), 0),
    ((50, 60), (53, 20), 2),
    ((20, 40), (70, 43), 3),
    ((70, 40), (20, 43), 1),
    ((116, 76), (118, 30), 2),
]


@pytest.mark.parametrize(
    ('place', 'settings', 'score'),
    [
        *((place, {}, 0.9) for place in PLACES),
        (((20, 40), (70, 40), 3), {'min_gain': 0.7}, 0.3),
    ],
)
def test_keypoints_of_turned_people_are_mapped_back(place, settings, score):
    head, feet, turn = place
    image, box = draw(head, feet)
    [(points, scores)] = run([image], [box], **settings)
    np.testing.assert_allclose(points[0], [head, feet])
    np.testing.assert_allclose(scores, score)
    assert estimate.calls == (4 if turn else 1)


@pytest.mark.parametrize(('head', 'feet', 'turn'), PLACES[1:])
def test_known_turns_come_first(head, feet, turn):
    lying, box = draw(head, feet)
    upright, other = draw((50, 20), (53, 60))
    boxes = [np.concatenate([other, other]), box]
    poses = run([upright, lying], boxes, [np.array([0, 0]), np.array([turn])])
    # upright and turned crops are one batch, and no more are needed
    assert (estimate.calls, estimate.runs) == (4, 1)
    np.testing.assert_allclose(poses[0][0], [[(50, 20), (53, 60)]] * 2)
    np.testing.assert_allclose(poses[1][0], [(head, feet)])
    # a person who has turned is found by all other turns, upright included
    turned = run([upright], [other], [np.array([turn])])
    np.testing.assert_allclose(turned[0][0], [[(50, 20), (53, 60)]])
    assert estimate.calls == 5


def test_turns_are_chosen_by_the_fast_estimator():
    image, box = draw((20, 40), (70, 40))
    estimator, fast = FunctionEstimator(estimate), []
    estimator.estimate_fast = lambda *crops: fast.append(1) or estimate(*crops)
    estimate.calls = estimate.runs = 0
    [(points, _)] = TurnedCrops(estimator)([image], [box])
    np.testing.assert_allclose(points[0], [(20, 40), (70, 40)])
    assert fast == [1]
    assert estimate.calls == 1 + 3 + 1


def test_images_without_people_have_no_poses():
    [(points, scores)] = run([np.zeros((80, 120, 3), np.uint8)], [np.zeros((0, 4))])
    assert (points.shape, scores.shape) == ((0, 2, 2), (0, 2))


@pytest.mark.parametrize(('before', 'crops'), [(0.3, 1), (np.nan, 4), (0.9, 4)])
def test_videos_turn_crops_only_where_the_confidence_falls(before, crops):
    image, box = draw((20, 40), (70, 40))
    run([image], [box], least=before)
    assert estimate.calls == crops


TRUNCATED = np.r_[np.ones(11), np.full(6, 0.1)]  # without legs


@pytest.mark.parametrize(
    ('upright', 'turned'),
    [(0.85, 0.94), (0.78, 0.96), (0.95 * TRUNCATED, TRUNCATED)],
    ids=['good', 'fair', 'truncated'],
)
def test_good_upright_people_are_not_turned(upright, turned):
    """Raised arms look like legs to a model that sees them from below."""

    def estimate_standing(images, boxes):
        points = np.zeros((1, 17, 2))
        points[:, 11:, 1] = 9  # hips and legs below
        is_upright = images[0].shape == image.shape
        score = upright if is_upright else turned
        return [(points, np.ones((1, 17)) * score)]

    image, box = draw((50, 20), (50, 60))
    [(_, scores)] = run([image], [box], function=estimate_standing)
    np.testing.assert_allclose(scores[0], upright * np.ones(17))


class Gym:
    """A gym in which one person stands, or is upside down, before a dark wall.

    ``looks`` maps frame numbers to the confidence in upright crops, and to whether the
    person looks upside down there; in crops turned by 180 degrees people are as
    confident as ``turned``, and always upright in the crop.
    """

    def __init__(self, looks, turned, upside_down=False):
        self.looks, self.turned = looks, turned
        self.image = np.zeros((200, 200, 3), np.uint8)
        self.image[76:85, 96:105, 0] = self.image[116:125, 99:108, 1] = 250
        self.image = self.image[::-1] if upside_down else self.image
        self.box = np.array([[90, 70, 113, 130]])

    def frames(self, count):
        for number in range(count):
            image = self.image.copy()
            image[image.any(2), 2] = number
            yield Frame(number, number / 25, image)

    def __call__(self, images, boxes):
        return [self.look(*each) for each in zip(images, boxes, strict=True)]

    def look(self, image, boxes):
        ends = (np.argwhere(image[..., channel] > 125) for channel in range(2))
        head, feet = (pixels.mean(0)[::-1] for pixels in ends)
        number = image[..., 2].max()
        is_crop = image.shape != self.image.shape
        if is_crop and abs(head[0] - feet[0]) > abs(head[1] - feet[1]):
            score, is_down = 0.3, False
        else:
            score, is_down = (self.turned, False) if is_crop else self.looks(number)
        top, bottom = sorted((head, feet), key=lambda point: point[1])
        if is_down:
            top, bottom = bottom, top
        along = np.r_[np.zeros(7), np.full(4, 0.3), np.full(2, 0.6), np.full(4, 1.0)]
        points = top + along[:, None] * (bottom - top)
        points = np.repeat(points[None], len(boxes), 0)
        return points, np.full((len(boxes), 17), score)

    def tilts(self, count=40):
        """Return the torsos' angles from upright in the frames of a clip."""
        estimator = FunctionEstimator(self)
        models = VideoPoseEstimator(
            FunctionDetector(lambda images: [(self.box, np.ones(1))] * len(images)),
            TurnedCrops(estimator),
            det_every=20,
        )
        people = [None] * count
        previous, frames = [], [*self.frames(count)]
        for start in range(0, count, 20):
            part = frames[start : start + 20]
            people[start : start + 20] = models.track(part, previous, 20)
            previous = [people[start + 14], people[start + 19]]
        clip = Clip2D('gym', 'coco-17', track_clip(people, 25), 200, 200, 25.0)
        [track] = DropUncertain().drop(clip).tracks
        assert len(track.frames) == count
        x, y = torso_of(track.keypoints).T
        return np.degrees(np.arctan2(x, -y))


def test_people_do_not_stay_upside_down_after_a_bad_frame():
    """Their upright crop is as good as before, but the turned one a little better."""

    def looks(number):
        if 13 <= number <= 15:
            return 0.64, True
        return (0.7 if 13 < number < 18 else 0.76), False

    tilts = Gym(looks, turned=0.93).tilts()
    finite = np.isfinite(tilts)
    assert (abs(tilts[finite]) < 45).all()
    assert finite.sum() >= 33
    assert finite[20:].all()


@pytest.mark.parametrize(
    ('upright', 'is_down'), [(0.76, False), (0.7, False), (0.5, True)]
)
def test_people_upside_down_stay(upright, is_down):
    """Upright crops of them look upright at times, but turned ones are better."""

    def looks(number):
        return (upright, is_down) if number >= 5 else (0.4, True)

    assert (abs(Gym(looks, 0.97, upside_down=True).tilts()) > 135).all()
