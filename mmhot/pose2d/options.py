"""Options of the detector and the 2D model."""

from dataclasses import dataclass

from mmhot.errors import ArgumentError
from mmhot.options import RuntimeOptions, option
from mmhot.pose2d.speed import SpeedOption


@dataclass(frozen=True, kw_only=True)
class Pose2DOptions(SpeedOption, RuntimeOptions):
    """Options of the 2D poses of videos and images."""

    title = 'detector and 2D model'

    pose2d: str | None = option(
        '2D model: movenet, rtmpose-m or rtmo-s (downloaded once), an .onnx or .zip '
        "file, or MMPose's config (a program that is run) or alias (default: gtpt-t, "
        'shipped)',
        metavar='MODEL',
        decides=False,
    )
    pose2d_weights: str | None = option(
        'checkpoint of the 2D model', metavar='FILE', decides=False
    )
    pose2d_skeleton: str | None = option(
        'joint order of an .onnx file that does not state it (default: from the number '
        'of joints, with a warning)',
        metavar='NAME',
    )
    det_model: str | None = option(
        'detector: rtmdet-nano (downloaded once), an .onnx or .zip file, '
        "MMDetection's config (a program that is run) or alias, pose-verified (the "
        'shipped detector, checked by the 2D model), or whole_image (default: '
        'pose-verified; rtmdet-nano with movenet and rtmpose-m, human with human, none '
        'with rtmo)',
        metavar='MODEL',
        decides=False,
    )
    det_weights: str | None = option(
        'checkpoint of the detector', metavar='FILE', decides=False
    )
    det_every: int | None = option(
        'detect in every Nth frame and track people in between (default: 1; with '
        'pose-verified once per second)',
        low=1,
    )
    batch_size: int = 8  # frames at once, if every frame is detected

    def no_person_found(self, num_frames: int) -> ArgumentError:
        """Say that no person was found, and which models find more."""
        if self.pose2d is None and self.det_model is None:
            return ArgumentError(
                "no person was found in %s frames: {det_model='rtmdet-nano'}, 4 MB, or "
                "{pose2d='movenet'}, 17 MB, once downloaded, find more",
                num_frames,
            )
        return ArgumentError('no person was found in %s frames', num_frames)
