"""Second estimation of tilted people in rotated crops."""

import cv2
import numpy as np
import pytest

from mmhot.chain.pose2d.turned_crops import align_tilted

# A standing person of 100 x 240 pixels around (0, 0), y down.
STANDING = np.array(
    [(0, -100), (12, -115), (-12, -115), (24, -105), (-24, -105)]
    + [(30, -80), (-30, -80), (45, -35), (-45, -35), (50, 5), (-50, 5)]
    + [(20, 10), (-20, 10), (22, 65), (-22, 65), (24, 120), (-24, 120)],
    float,
)
VALUES = 40 + 12 * np.arange(17)


def draw(tilt, center=(250, 260), size=(500, 520), scale=1.0):
    """Draw dots of a person tilted clockwise by degrees; return image, box, points."""
    angle = np.radians(tilt)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    points = scale * STANDING @ turn.T + center
    image = np.zeros((*size[::-1], 3), np.uint8)
    for (x, y), value in zip(points, VALUES, strict=True):
        place = round(x), round(y)
        cv2.circle(image, place, round(5 * scale), [int(value)] * 3, -1)
    box = np.concatenate([points.min(0) - 5, points.max(0) + 5])
    return image, box, points


class Estimator:
    """Finds the dots in patches, and remembers the patches and boxes."""

    def __init__(self, score=0.8):
        self.score, self.patches, self.boxes = score, [], []

    def __call__(self, images, boxes):
        self.patches += images
        self.boxes += boxes
        return [self.find(image) for image in images]

    def find(self, image):
        gray, around = image[..., 0], np.ones((3, 3), np.uint8)
        # within the dots: at their borders, values equal those of other dots
        flat = cv2.dilate(gray, around) - cv2.erode(gray, around) <= 2
        gray = np.where(flat, gray, 0).astype(int)
        points = [np.argwhere(np.abs(gray - x) <= 2).mean(0)[::-1] for x in VALUES]
        return np.array(points)[None], np.full((1, 17), self.score)


@pytest.mark.parametrize('tilt', [-160, -90, -40, 20, 75, 130])
def test_keypoints_of_rotated_crops_are_mapped_back(tilt):
    image, box, points = draw(tilt)
    estimator = Estimator()
    coarse = points + np.random.default_rng(0).normal(0, 2, points.shape)
    poses = coarse[None], np.full((1, 17), 0.4)
    keypoints, scores = align_tilted(estimator, [(image, box)], poses, 15, np.zeros(1))
    # four fifths of the weight are the exact second estimate's
    np.testing.assert_allclose(keypoints[0], 0.8 * points + 0.2 * coarse, atol=0.8)
    np.testing.assert_allclose(scores, 0.6)
    # the torso is upright in the patch, and the box fits the person there
    patch, _ = Estimator().find(estimator.patches[0])
    trunk = patch[0][[5, 6]].mean(0) - patch[0][[11, 12]].mean(0)
    assert abs(np.degrees(np.arctan2(trunk[0], -trunk[1]))) < 4
    [new] = estimator.boxes[0]
    low, high = patch[0].min(0), patch[0].max(0)
    assert (new[:2] < low).all()
    assert (new[2:] > high).all()
    assert ((new[2:] - new[:2]) < (high - low) + 2 * 0.15 * 250).all()
    np.testing.assert_array_equal(poses[0][0], coarse)


@pytest.mark.parametrize(
    ('tilt', 'turn', 'patches'),
    [
        (-14, 0, 0),
        (16, 0, 1),
        (-170, 0, 1),
        # as upright in their first crop as the others
        (-170, 2, 0),
        (100, 1, 0),
        (70, 1, 1),
    ],
)
def test_only_tilted_people_are_estimated_again(tilt, turn, patches):
    image, box, points = draw(tilt)
    estimator = Estimator()
    poses = points[None], np.full((1, 17), 0.4)
    turns = np.array([turn])
    found, _ = align_tilted(estimator, [(image, box)], poses, 15, turns)
    assert len(estimator.patches) == patches
    np.testing.assert_allclose(found[0], points, atol=0.8)


def test_the_more_confident_of_distant_keypoints_is_taken():
    image, box, points = draw(90)
    first, scores = points.copy(), np.full(17, 0.4)
    first[9] += 60
    first[10] -= 60
    scores[10] = 0.95
    poses = first[None], scores[None]
    keypoints, mean = align_tilted(Estimator(), [(image, box)], poses, 15, np.zeros(1))
    np.testing.assert_allclose(keypoints[0][9], points[9], atol=0.8)
    np.testing.assert_allclose(keypoints[0][10], first[10], atol=1e-6)
    np.testing.assert_allclose(mean[0][[9, 10]], (0.6, 0.875))
