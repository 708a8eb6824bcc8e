"""Slow stand-ins for 2D models in Ray's worker processes."""

import os
import time
from pathlib import Path

from pose_sources import Detector, Estimator

from mmhot.chain.pose2d import pose_source
from mmhot.chain.worker import ClipWorker


class SlowDetector(Detector):
    """Slow detector that logs the process and the number of each image."""

    def __init__(self, log, seconds):
        super().__init__(every=1)
        self.log = log
        self.seconds = seconds

    def __call__(self, images):
        found = super().__call__(images)
        for number in self.calls[-len(images) :]:
            time.sleep(self.seconds)
            with Path(self.log).open('a') as file:
                file.write(f'{os.getpid()} {number}\n')
        return found


def slow_worker(values, report, log, seconds=0.1):
    """Make a worker with the stand-ins, which logs its process first."""

    def open_pose_source(*models, **named):
        with Path(log).open('a') as file:
            file.write(f'{os.getpid()} models\n')
        return SlowDetector(log, seconds), Estimator()

    pose_source.open_pose_source = open_pose_source
    return ClipWorker(values, report)


def read_log(log):
    """Pairs of process ID and log entry."""
    lines = Path(log).read_text().splitlines() if Path(log).is_file() else []
    return [(int(pid), what) for pid, what in map(str.split, lines)]
