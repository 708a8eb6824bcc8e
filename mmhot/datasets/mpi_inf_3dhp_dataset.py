"""MPI-INF-3DHP for lifting, with the joints of Human3.6M."""

import re

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset, group_images, pose_arrays
from mmhot.datasets.human36m_dataset import read_h36m_cameras
from mmhot.errors import naming
from mmhot.io.pickles import load_objects
from mmhot.skeletons.joints import convert_keypoints

# Frames per second of most training videos. Some have 50, and the files do not say.
_FPS = 25.0
# Video and frame in the name of an image
_IMAGE = re.compile(r'(S\d+_Seq\d+_Cam\d+|TS\d+)_(\d+)')
_USUAL_SIZE = (2048, 2048)  # width and height of most videos, pixels
_OTHER_SIZES = {'TS5': (1920, 1080), 'TS6': (1920, 1080)}  # sizes of the other videos
_JOINTS = 'mpi-inf-3dhp-17', 'h36m-17'  # skeletons of files and samples


@DATASETS.register_module()
class MPIINF3DHPClipDataset(ClipDataset):
    """MPI-INF-3DHP with the joints in Human3.6M's order; a clip is one video.

    Files are P-STMO's ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``, or MMPose's,
    which have image names; where the names skip frames, another clip begins. The joints
    ``neck``, ``head`` and ``head_top`` become ``thorax``, ``neck_base`` and ``head``,
    so that one model lifts both datasets. Samples are as in
    :class:`Human36mClipDataset`; frames that the test data marks as invalid are in
    windows but never count. The subject of a test video is its name, 'TS1'.

    Args:
        ann_file (str): The ``.npz`` file.
        camera_param_file (str, optional): MMPose's cameras, ``.pkl``; without it
            ``camera_param`` has the image size only.
        **kwargs: Arguments of :class:`ClipDataset`.
    """

    how_to_get = 'see "MPI-INF-3DHP" in docs/data.md'

    def __init__(self, *, camera_param_file: str | None = None, **kwargs) -> None:
        self.camera_param_file = camera_param_file
        super().__init__(**kwargs)

    def load_clips(self) -> list[Clip]:
        """Read all videos."""
        cameras = {}
        if self.camera_param_file is not None:
            cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        path = self.find_file(self.files[0])
        with naming(path):
            content = load_objects(path)
            if 'imgname' in content:
                videos = _read_images(content)
            else:
                videos = _read_sequences(content['data'])
            return [_clip(name, view, cameras) for name, view in videos.items()]


def _read_sequences(data: dict) -> dict[str, dict]:
    """Return P-STMO's videos by name; training sequences have several cameras."""
    videos = {}
    for name, content in data.items():
        if isinstance(content, dict):
            videos[name] = content
        else:
            name = name.replace(' ', '_')
            videos |= {f'{name}_Cam{key}': view for key, view in content[0].items()}
    return videos


def _read_images(content: dict) -> dict[str, dict]:
    """Return the videos of MMPose's files by name, split where images are missing."""
    videos = {}
    for _, name, rows, _ in group_images(content['imgname'], _IMAGE):
        joints = 1000 * content['S'][rows, :, :3]
        videos[name] = dict(data_2d=content['part'][rows], data_3d=joints)
    return videos


def _clip(name: str, view: dict, cameras: dict) -> Clip:
    """Make a clip of a video with Human3.6M's joints; files have millimeters."""
    arrays = pose_arrays(name, view['data_2d'], np.asarray(view['data_3d']) / 1000)
    arrays['keypoints'], arrays['keypoints_visible'], _ = convert_keypoints(
        arrays['keypoints'], arrays['keypoints_visible'], *_JOINTS
    )
    arrays['lifting_target'], *_ = convert_keypoints(
        arrays['lifting_target'], None, *_JOINTS
    )
    video = name.split('.')[0]
    valid = view.get('valid')
    # The size in MMPose's file has a mistyped height in training cameras.
    width, height = _OTHER_SIZES.get(video, _USUAL_SIZE)
    return Clip(
        name,
        subject=video.split('_')[0],
        action='',
        fps=_FPS,
        arrays=arrays,
        constants=dict(camera_param=dict(cameras.get(video, {}), w=width, h=height)),
        valid=None if valid is None else np.ravel(valid) > 0,
    )
