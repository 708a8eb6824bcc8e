"""Facts about a clip that steps find and use, beside its keypoints or poses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from mmhot.frames.sources import FrameSource
from mmhot.lifting.lifter import Evidence
from mmhot.structures.clips import Clip2D
from mmhot.structures.lens import Lens

if TYPE_CHECKING:  # only videos need OpenCV
    from mmhot.tracking.background import Background


@dataclass(frozen=True)
class Context:
    """What is known of a clip; None is unknown.

    Attributes:
        frames (FrameSource | None): The video or images.
        cuts (Sequence[int] | None): Frames with which another shot begins.
        appearance (dict | None): Descriptions of people, see
            :class:`mmhot.tracking.appearance.AppearanceObserver`.
        background (Background | None): Points of the background.
        lens (Lens | None): Lens of the images.
        camera_path (np.ndarray | None): Rotation vector and zoom of the camera in each
            frame, (F, 4), if all frames share the axes of the first.
        mapping (str | None): How missing joints are approximated, see
            :func:`mmhot.convert_keypoints`.
        keypoints (Clip2D | None): The 2D clip that was lifted.
        evidence (Evidence | None): Evidence of the errors of lifted poses.
        progress (Callable): Receives the numbers of frames done and of all.
    """

    frames: FrameSource | None = None
    cuts: Sequence[int] | None = None
    appearance: dict[str, np.ndarray] | None = None
    background: 'Background | None' = None
    lens: Lens | None = None
    camera_path: np.ndarray | None = None
    mapping: str | None = None
    keypoints: Clip2D | None = None
    evidence: Evidence | None = None
    progress: Callable[[int, int], None] = lambda done, total: None


FACTS = tuple(each.name for each in fields(Context))
"""Names that the arguments of a step may have."""
