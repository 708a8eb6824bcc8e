"""Inputs of ``make demo``: its clips with their ground truth, and its 2D models."""

from pathlib import Path

import mmhot
from mmhot.structures.clips import Clip3D
from tools.lab.motions import GroundTruth

DEMO = Path(__file__).parents[2] / 'demo'
RENDERED = 'walk', 'dance'
"""Names of the rendered clips in ``demo/``."""
SKATING = 'skating_2d_coco17'
"""Name of the file of 2D keypoints in ``demo/``."""


def read_truth(name: str) -> GroundTruth:
    """Read the ground truth of a rendered clip."""
    return GroundTruth.read(DEMO / f'{name}.npz')


def infer(video: Path, folder: Path, **options: object) -> Clip3D:
    """Lift a video with the shipped models and the 2D keypoints of earlier calls."""
    shipped = dict(pose2d='gtpt-t', det_model='pose-verified')
    return mmhot.infer(video, cache=folder, **{**shipped, **options})
