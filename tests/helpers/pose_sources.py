"""Stand-ins for 2D models, for the pictures of ``video_files``."""

import numpy as np

from mmhot.video import people

BOX = np.array([[10.0, 8.0, 30.0, 44.0]], np.float32)


class Detector(people.Detector):
    """One person, who moves a pixel a frame.

    Args:
        every (int): Nobody is there in every fourth frame, by default; in none with 1,
            in all with 0.
    """

    name = 'stand-in detector'
    identity = {'name': name}

    def __init__(self, every=4):
        self.calls = []
        self.every = every

    def __call__(self, images):
        found = []
        for image in images:
            number = round((image[-4, -4].mean() - 40) / 4)
            self.calls.append(number)
            boxes = BOX + [number, 0, number, 0]
            there = self.every and (self.every == 1 or number % self.every != 3)
            found.append((boxes, np.array([0.9])) if there else ([], []))
        return found


class Estimator(people.PoseEstimator):
    """Keypoints in a box's middle, a pixel beside each other."""

    name = 'stand-in estimator'
    identity = {'name': name}
    skeleton = 'coco-17'

    def __init__(self):
        self.boxes = []

    def __call__(self, images, boxes):
        self.boxes += boxes
        centers = [(own[:, :2] + own[:, 2:]) / 2 for own in boxes]
        shift = np.arange(17)[:, None] * np.float32([1, 2]) - [8, 16]
        return [
            (center[:, None] + shift, np.full((len(center), 17), 0.8, np.float32))
            for center in centers
        ]


class FunctionDetector(people.Detector):
    """A detector that calls a function."""

    def __init__(self, function):
        self.function = function
        self.name = getattr(function, 'name', 'function')
        self.identity = getattr(function, 'identity', {'name': self.name})

    def __call__(self, images):
        return self.function(images)


class FunctionEstimator(people.PoseEstimator):
    """A 2D pose estimator that calls a function."""

    skeleton = 'coco-17'

    def __init__(self, function):
        self.function = function
        self.name = getattr(function, 'name', 'function')
        self.identity = getattr(function, 'identity', {'name': self.name})

    def __call__(self, images, boxes):
        return self.function(images, boxes)
