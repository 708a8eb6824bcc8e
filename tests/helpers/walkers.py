"""People who walk and wave, as a stand-in for 2D models, and their frames."""

from types import SimpleNamespace

import numpy as np

from mmhot.chain.frames.sources import Frame
from mmhot.structures.people import People

IMAGE = np.zeros((480, 640, 3), np.uint8)


class Walkers:
    """Stand-in for a VideoPoseEstimator: people who walk and wave.

    ``away`` says whether all are occluded at a time in seconds.
    """

    estimator = SimpleNamespace(skeleton='coco-17', name='walkers')
    detector = SimpleNamespace(name='walkers')

    def __init__(self, count=1, away=lambda time: False):
        self.count = count
        self.away = away

    def detection_interval(self):
        return 1

    def track(self, frames, previous, interval):
        [frame] = frames
        assert interval == 1
        if self.away(frame.time):
            empty = np.zeros((0, 17, 2), np.float32)
            return [People(np.zeros((0, 4)), np.zeros(0), empty, empty[..., 0])]
        keypoints = np.stack([walk(frame.time, person) for person in range(self.count)])
        boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], -1)
        scores = np.full(keypoints.shape[:2], 0.8, np.float32)
        return [People(boxes, np.full(self.count, 0.9), keypoints, scores)]


def walk(time, person=0):
    """Keypoints (17, 2) of a person who moves within the image."""
    rng = np.random.default_rng(person)
    body = rng.uniform(-60, 60, (17, 2)) * (0.6, 1.5)
    sway = 15 * np.sin(time * rng.uniform(1, 4, (17, 2)))
    place = [100 + 110 * person + 30 * np.sin(time / 2), 240]
    return (body + sway + place).astype(np.float32)


def frames(numbers, fps=50.0):
    return [Frame(number, number / fps, IMAGE) for number in numbers]
