"""MPI-INF-3DHP for lifting, with the joints of Human3.6M."""

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import (
    Clip,
    ClipDataset,
    pose_arrays,
)
from mmhot.datasets.pickles import load_objects
from mmhot.errors import naming
from mmhot.skeletons.joints import convert_keypoints

# Frames per second of most training videos; others have 50, and files do not say.
_FPS = 25.0
_LARGE = (2048, 2048)
# Width and height of the test videos that differ from all others.
_IMAGE_SIZES = {'TS5': (1920, 1080), 'TS6': (1920, 1080)}


@DATASETS.register_module()
class MPIINF3DHPClipDataset(ClipDataset):
    """MPI-INF-3DHP with the joints in Human3.6M's order; a clip is one video.

    Files are P-STMO's ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``. Their joints
    ``neck``, ``head`` and ``head_top`` become ``thorax``, ``neck_base`` and ``head``,
    so that one model lifts both datasets. Samples are as of
    :class:`Human36mClipDataset`; frames that the test data marks as invalid are in
    windows but never count. The subject of a test video is its name, 'TS1'.
    ``camera_param`` has the image size only. Arguments are those of
    :class:`ClipDataset`.
    """

    how_to_get = 'see "MPI-INF-3DHP" in docs/data.md'

    def load_clips(self) -> list[Clip]:
        """Read all videos."""
        path, clips = self.find_file(self.files[0]), []
        with naming(path):
            for sequence, content in load_objects(path)['data'].items():
                views = {sequence: content}  # 'TS1', or 'S1 Seq1' with cameras
                if not isinstance(content, dict):
                    name = sequence.replace(' ', '_')
                    views = {f'{name}_Cam{key}': v for key, v in content[0].items()}
                clips += [_clip(name, view) for name, view in views.items()]
        return clips


def _clip(video: str, view: dict) -> Clip:
    joints = np.asarray(view['data_3d']) / 1000
    valid = view.get('valid')
    valid = None if valid is None else np.asarray(valid).reshape(-1) > 0
    if valid is not None and len(valid) != len(joints):
        raise ValueError(
            f'{video} has {len(joints)} frames, but valid has {len(valid)}'
        )
    names = 'mpi-inf-3dhp-17', 'h36m-17'
    arrays = pose_arrays(video, view['data_2d'], joints)
    arrays['keypoints'], arrays['keypoints_visible'], _ = convert_keypoints(
        arrays['keypoints'], arrays['keypoints_visible'], *names
    )
    arrays['lifting_target'], *_ = convert_keypoints(
        arrays['lifting_target'], None, *names
    )
    width, height = _IMAGE_SIZES.get(video, _LARGE)
    return Clip(
        name=video,
        subject=video.split('_')[0],
        action='',
        fps=_FPS,
        arrays=arrays,
        constants=dict(camera_param=dict(w=width, h=height)),
        valid=valid,
    )
