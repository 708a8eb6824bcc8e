"""Names of pictures in MMPose's files of Human3.6M."""

import re
from os.path import basename
from typing import NamedTuple

_NAME = re.compile(r'([^_]+)_([^.]+)\.([^_]+)_(\d+)')


class H36MName(NamedTuple):
    """What is in a name such as 'S1_WalkDog_1.54138969_000001.jpg'.

    Attributes:
        subject (str): 'S1'.
        take (str): 'WalkDog_1'; its action is :attr:`action`.
        camera (str): '54138969'.
        frame (int): 1.
    """

    subject: str
    take: str
    camera: str
    frame: int

    @property
    def action(self) -> str:
        """'WalkDog', as in MMPose's metric."""
        return self.take.split('_')[0]

    @property
    def clip(self) -> str:
        """The recording and its camera: 'S1_WalkDog_1.54138969'."""
        return f'{self.subject}_{self.take}.{self.camera}'


def parse_h36m_name(path: str) -> H36MName:
    """Read a picture's name.

    Raises:
        ValueError: If it is none of Human3.6M's.
    """
    match = _NAME.match(basename(path))
    if match is None:
        raise ValueError(
            f'{path!r} must be named as in Human3.6M: S1_WalkDog_1.54138969_000001.jpg'
        )
    subject, take, camera, frame = match.groups()
    return H36MName(subject, take, camera, int(frame))
