"""Human3.6M for lifting: files of MMPose, VideoPose3D and MotionBERT."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import (
    Clip,
    ClipDataset,
    group_images,
    pose_arrays,
    split_rows,
)
from mmhot.datasets.h36m import ACTIONS, CAMERAS, IMAGE, canonical_action, frame_size
from mmhot.errors import naming
from mmhot.io.arrays import load_arrays
from mmhot.io.pickles import load_objects
from mmhot.skeletons.joints import get_skeleton

_FPS = 50.0
# Human3.6M's own 32 joints, as in VideoPose3D's files: the joints of h36m-17, and
# unused copies and ends of limbs (-)
_RECORDED = (
    'root right_hip right_knee right_foot - - left_hip left_knee left_foot - - '
    '- spine thorax neck_base head - left_shoulder left_elbow left_wrist - - - - '
    '- right_shoulder right_elbow right_wrist - - - -'
)
_USED = [_RECORDED.split().index(joint) for joint in get_skeleton('h36m-17').joints]


@DATASETS.register_module()
class Human36mClipDataset(ClipDataset):
    """Human3.6M in MMPose's files; a clip is one recording of one camera.

    MMPose's :class:`Human36mDataset` lists all windows in advance, which takes over
    100 GB with a window of 243 frames around each frame; here a window is cut when it
    is requested. Samples hold ``keypoints`` (T, 17, 2), ``keypoints_visible``
    (T, 17), ``lifting_target`` of the targets in meters, (num_targets, 17, 3), and
    ``camera_param``; actions are the 15 of the benchmark.

    Args:
        ann_file (str): Annotations, ``.npz``.
        camera_param_file (str): Cameras, ``.pkl``.
        keypoint_2d_det_file (str, optional): Detected 2D poses, ``.npy`` (N, 17, 3),
            instead of the 2D poses of the annotations.
        **kwargs: Arguments of :class:`ClipDataset`.
    """

    how_to_get = 'see "Human3.6M" in docs/data.md'

    def __init__(
        self,
        *,
        camera_param_file: str,
        keypoint_2d_det_file: str | None = None,
        **kwargs,
    ) -> None:
        self.camera_param_file = camera_param_file
        self.keypoint_2d_det_file = keypoint_2d_det_file
        super().__init__(**kwargs)

    def load_clips(self) -> list[Clip]:
        """Read all recordings, sorted as in MMPose's dataset."""
        cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        path = self.find_file(self.files[0])
        with naming(path):
            content = load_arrays(path, ('imgname', 'S', 'part'))
            recordings = [*group_images(content['imgname'], IMAGE)]
            joints = content['S']
            keypoints = content['part']
        if self.keypoint_2d_det_file is not None:
            path = self.find_file(self.keypoint_2d_det_file)
            with naming(path):
                keypoints = np.load(path, allow_pickle=False)
        clips = []
        with naming(path):
            if len(keypoints) != len(joints):
                raise ValueError(
                    f'has {len(keypoints)} 2D poses for {len(joints)} images: it must '
                    'be made for the images of the annotations'
                )
            for match, name, rows, step in sorted(recordings, key=lambda x: x[0][1]):
                clip, subject, take, camera, _ = match.groups()
                param = _camera(cameras, subject, camera, self.camera_param_file)
                clips.append(
                    Clip(
                        name,
                        subject,
                        canonical_action(take),
                        _FPS / step,
                        pose_arrays(clip, keypoints[rows], joints[rows, :, :3]),
                        dict(camera_param=param),
                    )
                )
        return clips


@DATASETS.register_module()
class VideoPose3DDataset(ClipDataset):
    """Human3.6M in VideoPose3D's files; samples as in :class:`Human36mClipDataset`.

    Detections beyond the end of the motion capture are left out, as in the published
    trainings. VideoPose3D has the cameras in its code, here they are MMPose's.

    Args:
        ann_file (str): 3D joints in world axes, ``data_3d_h36m.npz``.
        keypoint_2d_file (str): Keypoints in pixels with Human3.6M's joints, such as
            ``data_2d_h36m_cpn_ft_h36m_dbb.npz`` or ``data_2d_h36m_gt.npz``.
        camera_param_file (str): MMPose's ``cameras.pkl``.
        **kwargs: Arguments of :class:`ClipDataset`, such as ``subjects``.
    """

    how_to_get = Human36mClipDataset.how_to_get

    def __init__(
        self, *, keypoint_2d_file: str, camera_param_file: str, **kwargs
    ) -> None:
        self.keypoint_2d_file = keypoint_2d_file
        self.camera_param_file = camera_param_file
        super().__init__(**kwargs)

    def load_clips(self) -> list[Clip]:
        """Read the recordings that both files have."""
        joints = self._read_joints(self.find_file(self.files[0]))
        keypoints = self._read_keypoints(self.find_file(self.keypoint_2d_file))
        cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        clips = []
        for subject, take in sorted(joints.keys() & keypoints.keys()):
            for camera, pixels in zip(CAMERAS, keypoints[subject, take], strict=True):
                name = f'{subject}_{take.replace(" ", "_")}.{camera}'
                file = self.camera_param_file
                param = _camera(cameras, subject, camera, file, 'RTfcwh')
                place = np.reshape(param['T'], 3)
                axes = np.reshape(param['R'], (3, 3))
                in_camera = (joints[subject, take] - place) @ axes
                arrays = pose_arrays(name, pixels[: len(in_camera)], in_camera)
                action = canonical_action(take)
                constants = dict(camera_param=param)
                clips.append(Clip(name, subject, action, _FPS, arrays, constants))
        return clips

    @staticmethod
    def _read_joints(path: Path) -> dict[tuple[str, str], np.ndarray]:
        """Read joints in world axes, meters, (T, 17, 3), by subject and take."""
        content = load_objects(path)
        with naming(path):
            takes = _by_take(content['positions_3d'])
            return {take: _used_joints(poses) for take, poses in takes}

    @staticmethod
    def _read_keypoints(path: Path) -> dict[tuple[str, str], list[np.ndarray]]:
        """Read pixels of each camera, (T, 17, 2), by subject and take."""
        content = load_objects(path)
        wanted = get_skeleton('h36m-17').left
        with naming(path):
            metadata = content['metadata']
            left = list(metadata.get('keypoints_symmetry', [()])[0])
            if left != wanted:
                raise ValueError(
                    f'has keypoints {metadata.get("layout_name", "")} with left ones '
                    f"{left}, but Human3.6M's are {wanted}: use a file with its joints"
                )
            takes = _by_take(content['positions_2d'])
            return {take: [*map(_used_joints, views)] for take, views in takes}


def _by_take(subjects: dict[str, dict]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield the entries of nested dicts with their (subject, take)."""
    for subject, takes in subjects.items():
        for take, poses in takes.items():
            yield (subject, take), poses


def _used_joints(poses: object) -> np.ndarray:
    """Select the joints of h36m-17, (T, 17, C), from recorded ones, (T, 32, C)."""
    poses = np.asarray(poses)
    return poses[:, _USED] if poses.shape[1] == len(_RECORDED.split()) else poses


@DATASETS.register_module()
class MotionBERTDataset(ClipDataset):
    """Human3.6M in MotionBERT's file of stacked hourglass detections.

    The file has joints in image space (pixels, and depth at the same scale) and, for
    testing, millimeters per pixel. Samples have ``lifting_target`` in camera axes and
    a ``camera_param`` with which :class:`ImageSpacePoseLifting` gives back the file's
    joints; otherwise they are as in :class:`Human36mClipDataset`. Clips are named as in
    the file: 's_09_act_05_subact_02.ca_01'.

    Args:
        ann_file (str): ``h36m_sh_conf_cam_source_final.pkl``, or a file like it.
        split (str): 'train' or 'test'.
        millimeters_per_pixel (float, optional): Scale for splits of the file that have
            none, such as 'train'. The labels of :class:`ImageSpacePoseLifting` do not
            depend on it; the labels of other codecs do.
        ground_truth (bool): Whether 2D poses are the true ones, with scores of 1,
            instead of detections.
        **kwargs: Arguments of :class:`ClipDataset`.
    """

    how_to_get = Human36mClipDataset.how_to_get
    # Focal length in pixels, about Human3.6M's; the codec's labels do not depend on it.
    focal = 1145.0

    def __init__(
        self,
        *,
        split: str,
        millimeters_per_pixel: float | None = None,
        ground_truth: bool = False,
        **kwargs,
    ) -> None:
        self.split = split
        self.ground_truth = ground_truth
        self.millimeters_per_pixel = millimeters_per_pixel
        super().__init__(**kwargs)

    def load_clips(self) -> list[Clip]:
        """Read the recordings of a split."""
        path = self.find_file(self.files[0])
        content = load_objects(path)
        with naming(path):
            return list(self._read(content[self.split]))

    def _read(self, data: dict) -> Iterator[Clip]:
        """Yield the recordings of the arrays of a split."""
        sources = np.asarray(data['source'])
        joints = np.asarray(data['joint3d_image'], np.float32)
        scale = data.get('2.5d_factor')
        scale = self.millimeters_per_pixel if scale is None else scale
        if scale is None:
            raise ValueError(
                f'{self.split} has no 2.5d_factor, the millimeters per pixel: set '
                'millimeters_per_pixel of the dataset'
            )
        meters = np.broadcast_to(np.asarray(scale, np.float32) / 1000, len(sources))
        pixels = joints[..., :2]
        scores = np.ones_like(joints[..., 0])
        if not self.ground_truth:
            pixels = np.asarray(data['joint_2d'], np.float32)[..., :2]
            scores = np.reshape(data['confidence'], scores.shape)
        keypoints = np.dstack([pixels, scores]).astype(np.float32)
        focal = np.full(2, self.focal, np.float32)
        for rows in split_rows(sources[1:] != sources[:-1]):
            # Such as s_09_act_05_subact_02_ca_01
            recording, _, camera = str(sources[rows[0]]).rpartition('_ca_')
            _, subject, _, act, *_ = recording.split('_')
            name = f'{recording}.ca_{camera}'
            width, height = frame_size(str(data['camera_name'][rows[0]]))
            center = np.array([width / 2, height / 2], np.float32)
            in_camera = self._to_camera(joints[rows], meters[rows, None], center)
            yield Clip(
                name,
                f'S{int(subject)}',
                ACTIONS.get(int(act), ''),
                _FPS,
                pose_arrays(name, keypoints[rows], in_camera),
                dict(camera_param=dict(w=width, h=height, f=focal, c=center)),
            )

    def _to_camera(
        self, joints: np.ndarray, meters: np.ndarray, center: np.ndarray
    ) -> np.ndarray:
        """Move joints from image space to meters in camera axes, (T, 17, 3).

        Args:
            joints (np.ndarray): Pixels, and depth at the same scale, (T, 17, 3).
            meters (np.ndarray): Meters per pixel, (T, 1).
            center (np.ndarray): Principal point, pixels, (2,).
        """
        relative_depth = (joints[..., 2] - joints[:, :1, 2]) * meters
        depth = self.focal * meters + relative_depth
        across = (joints[..., :2] - center) / self.focal * depth[..., None]
        return np.concatenate([across, depth[..., None]], -1)


def read_h36m_cameras(path: Path) -> dict:
    """Read MMPose's camera file, ``.pkl``.

    Returns:
        dict: Camera parameters by subject and camera, or by video: ``w`` and ``h`` in
        pixels, ``f`` (2,) and ``c`` (2,) in pixels, ``R`` (3, 3) and ``T`` in meters.
    """
    with naming(path):
        return dict(load_objects(path))


def _camera(
    cameras: dict, subject: str, camera: str, path: str, names: str = 'fcwh'
) -> dict:
    """Return the parameters of a camera, which must have the names, one letter each."""
    param = cameras.get((subject, camera))
    if not isinstance(param, dict) or not param.keys() >= set(names):
        raise ValueError(
            f'{path} lacks camera {camera} of {subject}, or its {", ".join(names)}'
        )
    return param
