"""Presets of the chain from video to 3D that trade accuracy for speed."""

from dataclasses import dataclass

from mmhot.options import Options, option
from mmhot.pose2d.filling import Gaps


@dataclass(frozen=True)
class Speed:
    """Settings of one preset; models without a setting stay as they are."""

    keep_rates: tuple[float, ...] | None = None  # GTPT's keep rates; None as trained
    det_factor: float = 1.0  # factor of the interval between two detections
    gaps: Gaps = Gaps()  # gaps between 2D poses that are interpolated
    flip_3d: bool = True  # whether the lifter has the flip test
    # frames of a window that the shipped lifter for clips keeps; None as trained
    keep: int | None = None


# docs/video.md has their measured costs and errors.
SPEEDS = {
    'default': Speed(),
    'fast': Speed((0.7, 0.4, 0.2, 0.1), gaps=Gaps(0.2, 0.8, 16), flip_3d=False),
    'fastest': Speed((0.5, 0.3, 0.15, 0.1), 2.0, Gaps(0.3, 1.2, 16), False, 14),
}
"""The presets by name."""


@dataclass(frozen=True, kw_only=True)
class SpeedOption(Options):
    """Option of 2D models and lifters."""

    title = 'runtime'

    speed: str = option(
        'fast takes three quarters of the time, fastest three fifths; both are less '
        'accurate (docs/video.md)',
        'default',
        choices=tuple(SPEEDS),
    )
