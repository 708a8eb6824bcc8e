"""Models to choose from in the page: installed ones, and those of the command line.

The page accepts no other names: configs are programs, and visitors of a page may not be
allowed to run programs on its machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mmhot.video.sources import mediapipe_pose
from mmhot.video.sources.model_names import MEDIAPIPE, shipped_pose_model
from mmhot.video.sources.pose_source import POSE_VERIFIED, WHOLE_IMAGE
from mmhot.weights.index import DEFAULT_LIFTER, read_models, shipped_weights

AUTOMATIC = 'automatic'
"""Choice of the default of ``mmhot infer``."""


@dataclass(frozen=True)
class ModelChoices:
    """Models to choose from.

    Attributes:
        pose2d (tuple[str, ...]): 2D models.
        det_model (tuple[str, ...]): Detectors.
        pose3d (tuple[str, ...]): Lifters.
        note (str): Explains a missing 2D model; empty if there is one.
    """

    pose2d: tuple[str, ...]
    det_model: tuple[str, ...]
    pose3d: tuple[str, ...]
    note: str = ''


def find_choices(
    pose2d: Iterable[str] = (),
    det_model: Iterable[str] = (),
    pose3d: Iterable[str] = (),
) -> ModelChoices:
    """Find the models that are installed.

    Args:
        pose2d (Iterable[str]): 2D models besides MediaPipe and shipped ones.
        det_model (Iterable[str]): Detectors besides the whole image and the shipped
            one.
        pose3d (Iterable[str]): Lifters besides the shipped ones.

    Returns:
        ModelChoices: The given models come first.
    """
    poses = list(pose2d)
    poses += [MEDIAPIPE] if mediapipe_pose.is_ready() else []
    shipped = shipped_pose_model()
    poses += [shipped] if shipped else []
    note = ''
    if not poses:
        note = (
            'No 2D model is installed, so only files of 2D keypoints can be lifted. '
            f'For videos: {mediapipe_pose.INSTALL}, or start the page with another '
            '2D model'
        )
    names = {x.weights.partition('://')[2] for x in read_models() if '3d' in x.task}
    lifters = [name for name in shipped_weights() if name in names]
    lifters.sort(key=lambda name: name != DEFAULT_LIFTER)
    return ModelChoices(
        tuple(dict.fromkeys(poses or [AUTOMATIC])),
        tuple(dict.fromkeys([AUTOMATIC, *det_model, WHOLE_IMAGE, POSE_VERIFIED])),
        tuple(dict.fromkeys([*pose3d, *lifters])),
        note,
    )
