"""Human3.6M in MMPose's terms: dataset description, actions and image names."""

import re
from pathlib import Path

import mmpose
from mmengine.config import Config

IMAGE = re.compile(r'(([^_]+)_([^.]+)\.([^_]+))_(\d+)')
"""Clip, subject, take, camera and frame in the name of an image."""
ACTIONS = {
    2: 'Directions',
    3: 'Discussion',
    4: 'Eating',
    5: 'Greeting',
    6: 'Phoning',
    7: 'Posing',
    8: 'Purchases',
    9: 'Sitting',
    10: 'SittingDown',
    11: 'Smoking',
    12: 'Photo',
    13: 'Waiting',
    14: 'Walking',
    15: 'WalkDog',
    16: 'WalkTogether',
}
"""Actions of the benchmark by their original numbers."""
# Other names of these actions in the files of some subjects
_ALIASES = {
    'Greet': 'Greeting',
    'TakingPhoto': 'Photo',
    'Wait': 'Waiting',
    'WalkingDog': 'WalkDog',
    'WalkingTogether': 'WalkTogether',
}
# Cameras in the order of their numbers 1 to 4.
CAMERAS = ('54138969', '55011271', '58860488', '60457274')


def h36m_metainfo() -> dict:
    """Describe the 17 joints as MMPose's ``h36m.py``, with another ``stats_info``.

    MMPose's 3D inferencers move every person into the box of ``stats_info``, by default
    where people stand in Human3.6M's images. The box used here has side one around
    zero. No person in pixels fits into it, so that :class:`ProjectToVirtualCamera`
    recognizes keypoints that were moved.
    """
    path = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets/h36m.py'
    info = Config.fromfile(path).dataset_info.to_dict()
    return info | dict(stats_info=dict(bbox_center=(0.0, 0.0), bbox_scale=1.0))


def canonical_action(take: str) -> str:
    """Return the action of a take, one of ``ACTIONS``.

    >>> canonical_action('WalkingDog 1'), canonical_action('WalkDog_1')
    ('WalkDog', 'WalkDog')
    """
    action = re.split('[ _]', take)[0]
    return _ALIASES.get(action, action)


def frame_size(camera: str) -> tuple[int, int]:
    """Return width and height of a camera's images, in pixels."""
    return 1000, 1002 if camera in (CAMERAS[0], CAMERAS[3]) else 1000
