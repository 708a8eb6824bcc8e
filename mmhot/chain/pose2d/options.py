"""Options of the detector and the 2D model; presets of the chain's speed."""

from dataclasses import dataclass
from typing import Annotated

from mmhot.chain.pose2d.filling import Gaps
from mmhot.errors import ArgumentError
from mmhot.options import DeviceOptions, Option
from mmhot.weights.index import DEFAULT_LIFTER, FAST_LIFTER
from mmhot.weights.names import Backend


@dataclass(frozen=True)
class Speed:
    """Settings of one speed preset; models ignore the settings that they lack."""

    # Shares of the patches that GTPT keeps; None as trained. Higher is slower and more
    # accurate.
    keep_rates: tuple[float, ...] | None = None
    # Factor of the interval between two detections. Higher is faster, and finds new
    # people later.
    det_factor: float = 1.0
    gaps: Gaps = Gaps()  # gaps between 2D poses that are interpolated
    flip_3d: bool = True  # whether the lifter has the flip test
    lifter: str = DEFAULT_LIFTER  # shipped lifter for clips


# docs/video.md has their measured costs and errors.
SPEEDS = {
    'default': Speed(),
    'fast': Speed((0.7, 0.4, 0.2, 0.1), 1.0, Gaps(0.2, 0.8, 16), False, FAST_LIFTER),
    'fastest': Speed(
        (0.5, 0.3, 0.15, 0.1), 2.0, Gaps(0.3, 1.2, 16), False, FAST_LIFTER
    ),
}
"""The presets by name."""
_MODEL = Option(metavar='MODEL', decides=False)
_FILE = Option(metavar='FILE', decides=False)


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions(DeviceOptions):
    """Options of 2D models and lifters."""

    title = 'runtime'

    backend: Annotated[
        Backend,
        'runtime of the models: torch, onnx (ONNX Runtime, for shipped and exported '
        'models), or auto: torch if installed, but onnx for exported models and, on a '
        'CPU, shipped lifters',
        Option(decides=False),
    ] = 'auto'
    speed: Annotated[
        str,
        'fast takes two thirds of the time, fastest half; both are less '
        'accurate (docs/video.md)',
        Option(choices=tuple(SPEEDS)),
    ] = 'default'


@dataclass(frozen=True, kw_only=True)
class Pose2DOptions(RuntimeOptions):
    """Options of the 2D poses of videos and images."""

    title = 'detector and 2D model'

    pose2d: Annotated[
        str | None,
        '2D model: movenet, rtmpose-m or rtmo-s (downloaded once), an .onnx or .zip '
        "file, or MMPose's config (a program that is run) or alias (default: gtpt-t, "
        'shipped)',
        _MODEL,
    ] = None
    pose2d_weights: Annotated[str | None, 'checkpoint of the 2D model', _FILE] = None
    pose2d_skeleton: Annotated[
        str | None,
        'joint order of an .onnx file that does not state it (default: from the number '
        'of joints, with a warning)',
        Option(metavar='NAME'),
    ] = None
    det_model: Annotated[
        str | None,
        'detector: rtmdet-nano (downloaded once), an .onnx or .zip file, '
        "MMDetection's config (a program that is run) or alias, pose-verified (the "
        'shipped detector, checked by the 2D model), or whole_image (default: '
        'pose-verified; rtmdet-nano with movenet and rtmpose-m, human with human, none '
        'with rtmo)',
        _MODEL,
    ] = None
    det_weights: Annotated[str | None, 'checkpoint of the detector', _FILE] = None
    det_every: Annotated[
        int | None,
        'detect in every Nth frame and track people in between (default: 1; with '
        'pose-verified once per second)',
        Option(low=1),
    ] = None

    def no_person_found(self, num_frames: int) -> ArgumentError:
        """Make the error for a clip in which no person was found.

        It suggests models that find more people, unless the user has chosen some.
        """
        text = 'no person was found in %s frames'
        fill_image = find_more = ''
        if self.det_model is None:
            fill_image = ": {det_model='whole_image'} is for people who fill the image"
        if self.det_model is None and self.pose2d is None:
            find_more = (
                "; {det_model='rtmdet-nano'}, 4 MB, or {pose2d='movenet'}, 17 MB with "
                'this detector, once downloaded, find more'
            )
        return ArgumentError(text + fill_image + find_more, num_frames)
