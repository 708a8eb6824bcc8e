"""MPI-INF-3DHP for lifting, with the joints of Human3.6M."""

import re
from collections import defaultdict
from os.path import basename

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import (
    Clip,
    ClipDataset,
    member,
    pose_arrays,
    split_rows,
)
from mmhot.datasets.human36m_dataset import read_h36m_cameras
from mmhot.datasets.pickles import load_objects
from mmhot.errors import naming
from mmhot.skeletons.joints import convert_keypoints

# Frames per second of most training videos; others have 50, and files do not say.
_FPS = 25.0
MPIINF3DHP_IMAGE = re.compile(r'(S\d+_Seq\d+_Cam\d+|TS\d+)_(\d+)')
"""Beginning of the names of MPI-INF-3DHP's images: video and frame."""
_LARGE = (2048, 2048)
# Width and height of the test videos that differ from all others.
_IMAGE_SIZES = {'TS5': (1920, 1080), 'TS6': (1920, 1080)}


@DATASETS.register_module()
class MPIINF3DHPClipDataset(ClipDataset):
    """MPI-INF-3DHP with the joints in Human3.6M's order; a clip is one video.

    Files are P-STMO's ``data_train_3dhp.npz`` and ``data_test_3dhp.npz`` or MMPose's,
    which have image names; where those skip frames, another clip begins. MPI-INF-3DHP's
    joints ``neck``, ``head`` and ``head_top`` become ``thorax``, ``neck_base`` and
    ``head``, so that one model lifts both datasets. Samples are as of
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
        path = self.find_file(self.files[0])
        cameras = {}
        if self.camera_param_file is not None:
            cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        content = load_objects(path)
        with naming(path):
            if isinstance(content, dict) and 'imgname' in content:
                return _mmpose_clips(content, cameras)
            return _pstmo_clips(member(content, 'data'), cameras)


def _pstmo_clips(data: dict, cameras: dict) -> list[Clip]:
    """Clips by 'TS1', or by 'S1 Seq1' and camera; millimeters."""
    clips = []
    for sequence, content in data.items():
        if isinstance(content, dict):
            views = {sequence: content}
        else:
            name = sequence.replace(' ', '_')
            views = {f'{name}_Cam{camera}': v for camera, v in content[0].items()}
        for name, view in views.items():
            keypoints = np.asarray(member(view, 'data_2d'))
            joints = np.asarray(member(view, 'data_3d')) / 1000
            valid = view.get('valid')
            valid = None if valid is None else np.asarray(valid).reshape(-1) > 0
            clips.append(_clip(name, '', keypoints, joints, cameras, valid))
    return clips


def _mmpose_clips(content: dict, cameras: dict) -> list[Clip]:
    """Clips of consecutive images; meters."""
    keypoints, joints = (np.asarray(member(content, key)) for key in ('part', 'S'))
    images = defaultdict(list)
    for row, image in enumerate(np.asarray(content['imgname']).tolist()):
        match = MPIINF3DHP_IMAGE.match(basename(image))
        if match is None:
            raise ValueError(
                'images must be named as TS1_002001.jpg or S4_Seq2_Cam0_001033.jpg, '
                f'got {image}'
            )
        images[match[1]].append((int(match[2]), row))
    clips = []
    for video, frames in images.items():
        numbers, rows = np.array(sorted(frames)).T
        parts = split_rows(np.diff(numbers) != 1)
        for part in parts:
            first = f'.{numbers[part[0]]}' if len(parts) > 1 else ''
            arrays = keypoints[rows[part]], joints[rows[part], :, :3]
            clips.append(_clip(video, first, *arrays, cameras))
    return clips


def _clip(
    video: str,
    suffix: str,
    keypoints: np.ndarray,
    joints: np.ndarray,
    cameras: dict,
    valid: np.ndarray | None = None,
) -> Clip:
    if valid is not None and len(valid) != len(joints):
        raise ValueError(
            f'{video} has {len(joints)} frames, but valid has {len(valid)}'
        )
    names = 'mpi-inf-3dhp-17', 'h36m-17'
    arrays = pose_arrays(video + suffix, keypoints, joints)
    arrays['keypoints'], arrays['keypoints_visible'], _ = convert_keypoints(
        arrays['keypoints'], arrays['keypoints_visible'], *names
    )
    arrays['lifting_target'], *_ = convert_keypoints(
        arrays['lifting_target'], None, *names
    )
    # the height of MMPose's training cameras is mistyped
    width, height = _IMAGE_SIZES.get(video, _LARGE)
    return Clip(
        name=video + suffix,
        subject=video.split('_')[0],
        action='',
        fps=_FPS,
        arrays=arrays,
        constants=dict(camera_param=dict(cameras.get(video, {}), w=width, h=height)),
        valid=valid,
    )
