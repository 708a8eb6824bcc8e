"""Models that the page offers: those that can run here, and those named at its start.

Nobody can name others in the page, as configs are programs and people who can open a
page are not always those who may run programs on its machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mmhot.video.sources import mediapipe_pose
from mmhot.video.sources.model_names import shipped_pose_model
from mmhot.video.sources.pose_source import MEDIAPIPE, POSE_VERIFIED, WHOLE_IMAGE
from mmhot.weights.index import DEFAULT_LIFTER, read_models, shipped_weights

AUTOMATIC = 'automatic'
"""What the command would choose."""


@dataclass(frozen=True)
class Offers:
    """What can be chosen.

    Attributes:
        pose2d (tuple[str, ...]): 2D models.
        det_model (tuple[str, ...]): Detectors.
        pose3d (tuple[str, ...]): Lifters.
        note (str): What is missing; nothing if all is there.
    """

    pose2d: tuple[str, ...]
    det_model: tuple[str, ...]
    pose3d: tuple[str, ...]
    note: str = field(default='')


def find_offers(
    pose2d: Iterable[str] = (),
    det_model: Iterable[str] = (),
    pose3d: Iterable[str] = (),
) -> Offers:
    """Find the models that can run here.

    Args:
        pose2d (Iterable[str]): 2D models to offer besides MediaPipe and shipped ones,
            as ``mmhot infer --pose2d`` takes them.
        det_model (Iterable[str]): Detectors to offer besides the whole picture
            and the 2D model itself.
        pose3d (Iterable[str]): Lifters to offer besides the shipped ones.

    Returns:
        Offers: The ones that were named go first.
    """
    poses = list(pose2d)
    poses += [MEDIAPIPE] if mediapipe_pose.is_installed() else []
    shipped = shipped_pose_model()
    poses += [shipped] if shipped else []
    note = ''
    if not poses:
        note = (
            'There is no 2D model here, so only files of 2D keypoints can be lifted. '
            f'For videos: {mediapipe_pose.INSTALL}; or name one: mmhot ui --pose2d '
            'MODEL'
        )
    of_3d = {m.weights.partition('://')[2] for m in read_models() if '3d' in m.task}
    lifters = [name for name in shipped_weights() if name in of_3d]
    lifters.sort(key=lambda name: name != DEFAULT_LIFTER)
    return Offers(
        tuple(dict.fromkeys(poses or [AUTOMATIC])),
        tuple(dict.fromkeys([AUTOMATIC, *det_model, WHOLE_IMAGE, POSE_VERIFIED])),
        tuple(dict.fromkeys([*pose3d, *lifters])),
        note,
    )
