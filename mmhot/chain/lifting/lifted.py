"""Origin of lifted poses (2D keypoints, lifter, evidence), and steps that need it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.chain.step import Step
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D


@dataclass(frozen=True)
class Evidence:
    """Evidence of the errors of lifted poses, one row for each row of the clip."""

    # Spread of the predictions of each joint around their mean, meters, (N, 17)
    disagreement: np.ndarray
    # Distance by which constant bone lengths moved each joint, meters, (N, 17)
    correction: np.ndarray
    directions: np.ndarray  # direction from the camera to the person, (N, 3)


@dataclass(frozen=True)
class Lifted:
    """Origin of lifted poses: 2D keypoints, lifter, and evidence of errors."""

    keypoints: Clip2D  # keypoints that were lifted; one frame of them in a stream
    # How the lifter's missing joints are approximated, see `mmhot.convert_keypoints`
    mapping: str = 'trained'
    weights: Path | None = None  # file of the lifter's weights
    evidence: Evidence | None = None  # evidence of errors, if the lifter gave any
    # Streams: track IDs of people who were lost and are back
    returned: frozenset[int] = frozenset()


class LiftedStep(Step):
    """A step after the lift that needs the keypoints that were lifted."""

    def __call__(self, clip: Clip3D, lifted: Lifted, /) -> Clip3D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip3D, Lifted], Clip3D]:
        """Return a function for the frames of a stream with a mean rate of ``fps``.

        Steps that remember earlier frames override this.
        """
        return self
