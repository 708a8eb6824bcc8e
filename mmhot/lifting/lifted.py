"""What is known of poses that were lifted, and steps that need it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.step import Step
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D


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


class LiftedStep(Step):
    """A step after the lift that needs the keypoints that were lifted."""

    def __call__(self, clip: Clip3D, lifted: Lifted, /) -> Clip3D:
        """Return the clip after the step."""
        raise NotImplementedError

    def start(self, fps: float) -> Callable[[Clip3D, Lifted], Clip3D]:
        """Return what is called with each frame of a stream of a mean rate.

        Steps that remember earlier frames override this.
        """
        return self
