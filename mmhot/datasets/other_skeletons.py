"""MPI-INF-3DHP for lifting, with the joints of Human3.6M."""

import re

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset, group_images, pose_arrays
from mmhot.datasets.human36m_dataset import read_h36m_cameras
from mmhot.errors import naming
from mmhot.io.pickles import load_objects
from mmhot.skeletons.joints import convert_keypoints

# Frames per second of most training videos; others have 50, and files do not say.
_FPS = 25.0
# Video and frame in the name of an image.
_IMAGE = re.compile(r'(S\d+_Seq\d+_Cam\d+|TS\d+)_(\d+)')
_LARGE = (2048, 2048)
# Width and height of the test videos that differ from all others.
_IMAGE_SIZES = {'TS5': (1920, 1080), 'TS6': (1920, 1080)}


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
    """Return P-STMO's videos by name; sequences of training have cameras."""
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
    joints = np.asarray(view['data_3d']) / 1000
    valid = view.get('valid')
    valid = None if valid is None else np.asarray(valid).reshape(-1) > 0
    names = 'mpi-inf-3dhp-17', 'h36m-17'
    arrays = pose_arrays(name, view['data_2d'], joints)
    arrays['keypoints'], arrays['keypoints_visible'], _ = convert_keypoints(
        arrays['keypoints'], arrays['keypoints_visible'], *names
    )
    arrays['lifting_target'], *_ = convert_keypoints(
        arrays['lifting_target'], None, *names
    )
    video = name.split('.')[0]
    # The size is not MMPose's, which has a mistyped height in training cameras.
    width, height = _IMAGE_SIZES.get(video, _LARGE)
    camera = dict(cameras.get(video, {}), w=width, h=height)
    facts = name, video.split('_')[0], '', _FPS
    return Clip(*facts, arrays, dict(camera_param=camera), valid)
