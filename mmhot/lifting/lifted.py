"""What is known of poses that were lifted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.structures.clips_2d import Clip2D


@dataclass(frozen=True)
class Evidence:
    """Evidence of the errors of lifted poses; rows are those of the clip."""

    # spread of the predictions of each joint around their mean, meters, (N, 17)
    disagreement: np.ndarray
    # distance by which constant bone lengths moved each joint, meters, (N, 17)
    correction: np.ndarray
    directions: np.ndarray  # from the camera to the person, (N, 3)


@dataclass(frozen=True)
class Lifted:
    """Where lifted poses are from."""

    keypoints: Clip2D  # that were lifted, of a stream those of the frame
    # how the lifter's missing joints are approximated, see `mmhot.convert_keypoints`
    mapping: str = 'trained'
    weights: Path | None = None  # file of the lifter's weights
    evidence: Evidence | None = None
    returned: frozenset[int] = frozenset()  # of a stream: track IDs that were lost
