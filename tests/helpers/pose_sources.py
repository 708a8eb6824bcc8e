"""Stand-ins for 2D models on the images of ``video_files``; runs of ``mmhot infer``."""

from dataclasses import fields

import numpy as np

from mmhot.chain.pose2d import interfaces, pose_source
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.cli.dispatch import main

BOX = np.array([[10.0, 8.0, 30.0, 44.0]], np.float32)


class Detector(interfaces.Detector):
    """Detects one person, who moves a pixel per frame.

    Each ``every``-th frame has no detection; with 1 all have one, with 0 none.
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


class Estimator(interfaces.PoseEstimator):
    """Estimates keypoints around a box's center, a pixel apart."""

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


class Function:
    """A function as a model; it may have a name and an identity."""

    def __init__(self, function):
        self.function = function
        self.name = getattr(function, 'name', 'function')
        self.identity = getattr(function, 'identity', {'name': self.name})


class FunctionDetector(Function, interfaces.Detector):
    """A detector that calls a function."""

    def __call__(self, images):
        return self.function(images)


class FunctionEstimator(Function, interfaces.PoseEstimator):
    """A 2D pose estimator that calls a function."""

    skeleton = 'coco-17'

    def __call__(self, images, boxes):
        return self.function(images, boxes)


def use_stand_ins(monkeypatch, detector, estimator):
    """Replace the 2D models; return a list of the options they are opened with."""
    opened = []
    if not isinstance(detector, interfaces.Detector):
        detector = FunctionDetector(detector)
    if not isinstance(estimator, interfaces.PoseEstimator):
        estimator = FunctionEstimator(estimator)

    def open_pose_source(options, *arguments, **named):
        opened.append({x.name: getattr(options, x.name) for x in fields(Pose2DOptions)})
        return detector, estimator

    monkeypatch.setattr(pose_source, 'open_pose_source', open_pose_source)
    return opened


def infer(*inputs, command='infer', **options):
    """Run ``mmhot infer`` in this process; return its exit code. True sets a flag."""
    argv = [command, *map(str, inputs)]
    for name, value in options.items():
        flag = f'--{name.replace("_", "-")}'
        if value is not None:
            argv += [flag] if value is True else [flag, str(value)]
    return run_main(argv)


def run_main(argv):
    """Run a command of ``mmhot``; return its exit code."""
    try:
        return main(argv)
    except SystemExit as left:
        return left.code
