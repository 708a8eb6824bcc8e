"""Draws people who walk, and simulates what detectors find of them."""

import cv2
import numpy as np

from mmhot.chain.tracking.appearance import AppearanceSettings
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import People, box_overlap

COCO = get_skeleton('coco-17')


def standing(left, height=120):
    """Keypoints of a standing person, (17, 2)."""
    rows = {
        'eye': (2, 4),
        'ear': (5, 6),
        'shoulder': (14, 22),
        'elbow': (18, 42),
        'wrist': (20, 58),
        'hip': (9, 60),
        'knee': (9, 88),
        'ankle': (9, 115),
    }
    points = np.zeros((17, 2), np.float32)
    points[0] = 0, 6
    for name, (across, down) in rows.items():
        for side, sign in (('left', 1), ('right', -1)):
            points[COCO.index(f'{side}_{name}')] = sign * across, down
    return points * height / 120 + [left, 20]


def draw(image, points, shirt, trousers):
    index = COCO.index
    trunk = ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
    cv2.fillPoly(image, [points[[index(name) for name in trunk]].astype(int)], shirt)
    for side in ('left', 'right'):
        leg = points[[index(f'{side}_{part}') for part in ('hip', 'knee', 'ankle')]]
        cv2.polylines(image, [leg.astype(int)], False, trousers, 14)
    cv2.circle(image, points[0].astype(int).tolist(), 9, (150, 180, 220), -1)


def observe_walkers(places, clothes, observer, rng, hidden=0.6):
    """Draw walkers, the last one in front, and show them to an observer of detections.

    Places are pixels (T, P), clothes shirt and trousers of each. Walkers are not
    detected if others hide more than a share of their box, and keypoints are the less
    exact the more is hidden. Returns people and the numbers of their walkers, in each
    frame.
    """
    found, owners = [], []
    for frame, row in enumerate(places):
        heights = 120 - 3 * np.arange(len(row), 0, -1)
        points = [*map(standing, row, heights)]
        image = np.full((160, 480, 3), 90, np.uint8)
        if frame % AppearanceSettings.interval == 0:
            for own, colors in zip(points, clothes, strict=True):
                draw(image, own, *colors)
            noisy = image + rng.normal(0, 6, image.shape)
            image = np.clip(noisy, 0, 255).astype(np.uint8)
        boxes = np.array([np.r_[own.min(0) - 5, own.max(0) + 5] for own in points])
        covered = [
            max([box_overlap(box, other) for other in boxes[number + 1 :]], default=0)
            for number, box in enumerate(boxes)
        ]
        seen = np.flatnonzero(np.array(covered) < hidden)
        noise = rng.normal(0, 1, (len(row), 17, 2))
        noise *= 1 + 6 * np.array(covered)[:, None, None]
        jitter = rng.normal(0, 1.5, boxes.shape)
        people = People(
            (boxes + jitter)[seen].astype(np.float32),
            np.full(len(seen), 0.9, np.float32),
            (np.array(points) + noise)[seen].astype(np.float32),
            np.full((len(seen), 17), 0.9, np.float32),
        )
        observer.observe(frame, image, people, frame == 0)
        found.append(people)
        owners.append(seen)
    return found, owners
