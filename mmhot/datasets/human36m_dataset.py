"""Human3.6M for lifting: files of MMPose, VideoPose3D and MotionBERT."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.h36m import (
    ACTIONS,
    CAMERAS,
    H36MName,
    canonical_action,
    image_size,
    parse_h36m_name,
)
from mmhot.errors import naming
from mmhot.io.arrays import load_arrays, load_objects
from mmhot.skeletons.joints import get_skeleton

_FPS = 50.0
# Joints of VideoPose3D's skeleton of 32 that move, in the order of h36m-17.
_MOVING = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]


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
            instead of those of the annotations.
        fps (float): Frames per second of the files. Defaults to 50.
        **kwargs: Arguments of :class:`ClipDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or does not fit the others.
    """

    how_to_get = 'see "Human3.6M" in docs/data.md'

    def __init__(
        self,
        ann_file: str,
        camera_param_file: str,
        keypoint_2d_det_file: str | None = None,
        fps: float = _FPS,
        **kwargs,
    ) -> None:
        self.annotation_file = ann_file
        self.camera_param_file = camera_param_file
        self.keypoint_2d_det_file = keypoint_2d_det_file
        self.fps = fps
        super().__init__(ann_file='', **kwargs)

    def load_clips(self) -> list[Clip]:
        """Read all recordings, sorted as in MMPose's dataset."""
        path = self.find_file(self.annotation_file)
        names, joints, keypoints = _load_annotations(path)
        if self.keypoint_2d_det_file is not None:
            keypoints = _load_detections(self.find_file(self.keypoint_2d_det_file))
        wanted = (len(names), 17)
        for what, array in (('3D joints', joints), ('keypoints', keypoints)):
            if array.shape[:2] != wanted or array.shape[2:] < (3,):
                raise ValueError(
                    f'{path} has {len(names)} images, whose {what} must be '
                    f'{(*wanted, 3)}, got {array.shape}'
                )
        cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        recordings = {}
        for row, name in enumerate(map(parse_h36m_name, names.tolist())):
            first, rows = recordings.setdefault(name.clip, (name, []))
            rows.append(row)
        return [
            self._clip(first, joints[rows], keypoints[rows], cameras)
            for _, (first, rows) in sorted(recordings.items())
        ]

    def _clip(
        self, name: H36MName, joints: np.ndarray, keypoints: np.ndarray, cameras: dict
    ) -> Clip:
        return Clip(
            name=name.clip,
            subject=name.subject,
            action=name.action,
            fps=self.fps,
            arrays=pose_arrays(keypoints, joints[..., :3]),
            constants=dict(
                camera_param=_camera(
                    cameras, name.subject, name.camera, self.camera_param_file
                )
            ),
        )


@DATASETS.register_module()
class VideoPose3DDataset(ClipDataset):
    """Human3.6M in VideoPose3D's files; samples as of :class:`Human36mClipDataset`.

    Detections beyond the end of the motion capture are left out, as in the published
    trainings. VideoPose3D has the cameras in its code: here they are read from MMPose's
    file.

    Args:
        ann_file (str): 3D joints in world axes, ``data_3d_h36m.npz``.
        keypoint_2d_file (str): Keypoints in pixels with Human3.6M's joints, such as
            ``data_2d_h36m_cpn_ft_h36m_dbb.npz`` or ``data_2d_h36m_gt.npz``.
        camera_param_file (str): MMPose's ``cameras.pkl``.
        **kwargs: Arguments of :class:`ClipDataset`, such as ``subjects`` and
            ``downsample``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or does not fit the others.
    """

    how_to_get = Human36mClipDataset.how_to_get

    def __init__(
        self,
        ann_file: str,
        keypoint_2d_file: str,
        camera_param_file: str,
        **kwargs,
    ) -> None:
        self.annotation_file = ann_file
        self.keypoint_2d_file = keypoint_2d_file
        self.camera_param_file = camera_param_file
        super().__init__(ann_file='', **kwargs)

    def load_clips(self) -> list[Clip]:
        """Read the recordings that both files have."""
        path = self.find_file(self.keypoint_2d_file)
        content = load_objects(path)
        left = get_skeleton('h36m-17').left
        metadata = member(content, 'metadata', path)
        sides = metadata.get('keypoints_symmetry', [()])
        if list(sides[0]) != left:
            raise ValueError(
                f'{path} has keypoints {metadata.get("layout_name", "")}, whose left '
                f"ones are {list(sides[0])}: wanted Human3.6M's, {left}"
            )
        keypoints = member(content, 'positions_2d', path)
        path = self.find_file(self.annotation_file)
        joints = member(load_objects(path), 'positions_3d', path)
        cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        return [
            self._clip(subject, take, camera, (joints[subject][take], pixels), cameras)
            for subject in sorted(joints.keys() & keypoints.keys())
            for take in sorted(joints[subject].keys() & keypoints[subject].keys())
            for camera, pixels in zip(CAMERAS, keypoints[subject][take], strict=False)
        ]

    def _clip(
        self, subject: str, take: str, camera: str, poses: tuple, cameras: dict
    ) -> Clip:
        name = f'{subject}_{take.replace(" ", "_")}.{camera}'
        joints, pixels = (_moving_joints(pose, name) for pose in poses)
        if len(pixels) < len(joints):
            raise ValueError(
                f'{self.keypoint_2d_file}: {name} has {len(pixels)} frames, fewer than '
                f'the {len(joints)} of {self.annotation_file}'
            )
        param = _camera(cameras, subject, camera, self.camera_param_file)
        joints = (joints - np.reshape(param['T'], 3)) @ param['R']
        return Clip(
            name=name,
            subject=subject,
            action=canonical_action(take),
            fps=_FPS,
            arrays=pose_arrays(pixels[: len(joints)], joints),
            constants=dict(camera_param=param),
        )


def _moving_joints(poses: np.ndarray, name: str) -> np.ndarray:
    """Select 17 of 32 joints; check that there are 17 or 32."""
    poses = np.asarray(poses)
    if poses.ndim != 3 or poses.shape[1] not in (17, 32):
        raise ValueError(
            f'{name}: poses must be (T, 17 or 32, 2 or 3), got {poses.shape}'
        )
    return poses[:, _MOVING] if poses.shape[1] == 32 else poses


@DATASETS.register_module()
class MotionBERTDataset(ClipDataset):
    """Human3.6M in MotionBERT's file of stacked hourglass detections.

    The file has joints in image space (pixels, and depth at the same scale) and, for
    testing, millimeters per pixel. Samples have ``lifting_target`` in camera axes and
    ``camera_param`` of a camera for which :class:`ImageSpacePoseLifting` gives back
    the file's joints; otherwise they are as of :class:`Human36mClipDataset`. Clips are
    named as in the file: 's_09_act_05_subact_02.ca_01'.

    Args:
        ann_file (str): ``h36m_sh_conf_cam_source_final.pkl`` or alike.
        split (str): 'train' or 'test'.
        millimeters_per_pixel (float, optional): Scale where the file has none, which
            is in training. The labels of :class:`ImageSpacePoseLifting` do not depend
            on it; those of other codecs do.
        **kwargs: Arguments of :class:`ClipDataset`.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is damaged or has no scale.
    """

    how_to_get = Human36mClipDataset.how_to_get
    # about Human3.6M's; it cancels out, see the class
    focal = 1145.0

    def __init__(
        self,
        ann_file: str,
        split: str,
        millimeters_per_pixel: float | None = None,
        **kwargs,
    ) -> None:
        self.annotation_file = ann_file
        self.split = split
        self.millimeters_per_pixel = millimeters_per_pixel
        super().__init__(ann_file='', **kwargs)

    def load_clips(self) -> list[Clip]:
        """Read the recordings of a split."""
        path = self.find_file(self.annotation_file)
        data = member(load_objects(path), self.split, path)
        sources = np.asarray(member(data, 'source', path))
        pixels = np.asarray(member(data, 'joint_2d', path), np.float32)
        scores = np.asarray(member(data, 'confidence', path), np.float32)
        joints = np.asarray(member(data, 'joint3d_image', path), np.float32)
        cameras = np.asarray(member(data, 'camera_name', path))
        keypoints = np.concatenate(
            [pixels[..., :2], scores.reshape(*scores.shape[:2], 1)], -1
        )
        scale = data.get('2.5d_factor')
        if scale is None:
            scale = np.full(len(sources), self.millimeters_per_pixel, np.float32)
        if np.isnan(scale).any():
            raise ValueError(
                f'{path}: {self.split} has no 2.5d_factor; set millimeters_per_pixel'
            )
        lengths = {len(each) for each in (sources, keypoints, joints, cameras, scale)}
        if len(lengths) > 1 or joints.shape[1:] != (17, 3):
            raise ValueError(
                f'{path}: arrays of {self.split} must be of (N, 17, ...), got '
                f'{keypoints.shape}, {joints.shape} and {sources.shape}'
            )
        arrays = sources, cameras, keypoints, joints, np.asarray(scale, np.float32)
        return [
            self._clip(*(array[rows] for array in arrays))
            for rows in split_rows(sources[1:] != sources[:-1])
        ]

    def _clip(
        self,
        sources: np.ndarray,
        cameras: np.ndarray,
        keypoints: np.ndarray,
        joints: np.ndarray,
        scale: np.ndarray,
    ) -> Clip:
        recording, _, camera = str(sources[0]).rpartition('_ca_')
        parts = recording.split('_')
        if len(parts) != 6 or not (parts[1] + parts[3]).isdecimal():
            raise ValueError(
                f'{self.annotation_file}: source must be as s_09_act_05_subact_02_'
                f'ca_01, got {sources[0]}'
            )
        number = int(parts[3]) - 2
        width, height = image_size(str(cameras[0]))
        center = np.array([width / 2, height / 2], np.float32)
        meters = scale[:, None] / 1000
        depth = self.focal * meters + (joints[..., 2] - joints[:, :1, 2]) * meters
        ahead = (joints[..., :2] - center) / self.focal * depth[..., None]
        return Clip(
            name=f'{recording}.ca_{camera}',
            subject=f'S{int(parts[1])}',
            action=ACTIONS[number] if 0 <= number < len(ACTIONS) else '',
            fps=_FPS,
            arrays=pose_arrays(
                keypoints, np.concatenate([ahead, depth[..., None]], -1)
            ),
            constants=dict(
                camera_param=dict(
                    w=width, h=height, f=np.full(2, self.focal, np.float32), c=center
                )
            ),
        )


def split_rows(ends: np.ndarray) -> list[np.ndarray]:
    """Split rows (N,) into runs that end where a bool of (N - 1,) is set."""
    return np.split(np.arange(len(ends) + 1), np.flatnonzero(ends) + 1)


def pose_arrays(keypoints: np.ndarray, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Name a clip's arrays as transforms expect them.

    Args:
        keypoints (np.ndarray): Pixels, with scores or not, (T, K, 2 or 3).
        joints (np.ndarray): Meters in camera axes, (T, K, 3).
    """
    keypoints = np.asarray(keypoints, np.float32)
    has_scores = keypoints.shape[-1] > 2
    return dict(
        keypoints=keypoints[..., :2],
        keypoints_visible=keypoints[..., 2]
        if has_scores
        else np.ones(keypoints.shape[:-1], np.float32),
        lifting_target=np.asarray(joints, np.float32),
    )


def member(content: object, name: str, path: Path) -> object:
    """Return an entry of a file; raise ValueError if it is not there."""
    if not isinstance(content, Mapping) or name not in content:
        present = ', '.join(map(str, content)) if isinstance(content, Mapping) else ''
        raise ValueError(f'{path} has no {name!r}, only {present or "other content"}')
    return content[name]


def read_h36m_cameras(path: Path) -> dict:
    """Read MMPose's camera file, dicts of parameters by name."""
    cameras = load_objects(path)
    if not isinstance(cameras, Mapping):
        raise ValueError(f'{path} must hold cameras by name')
    return dict(cameras)


def _camera(cameras: dict, subject: str, camera: str, path: str) -> dict:
    if (subject, camera) not in cameras:
        raise ValueError(f'{path} lacks camera {camera} of {subject}')
    return cameras[subject, camera]


def _load_annotations(path: Path) -> list[np.ndarray]:
    """Image names (N,), 3D joints and 2D keypoints (N, 17, ...)."""
    names = ('imgname', 'S', 'part')
    with naming(path):
        arrays = load_arrays(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f'{path} has no {", ".join(missing)}')
    return [arrays[name] for name in names]


def _load_detections(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path} is no readable .npy: {error}') from error
