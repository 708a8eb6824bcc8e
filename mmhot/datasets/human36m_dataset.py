"""Human3.6M for lifting: files of MMPose, VideoPose3D and MotionBERT."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
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
            joints, keypoints = content['S'], content['part']
        if self.keypoint_2d_det_file is not None:
            path = self.find_file(self.keypoint_2d_det_file)
            with naming(path):
                keypoints = np.load(path, allow_pickle=False)
        with naming(path):
            count = len(keypoints)
            if count != len(joints):
                raise ValueError(f'has {count} 2D poses for {len(joints)} images')
            clips = []
            for match, name, rows, step in sorted(recordings, key=lambda x: x[0][1]):
                clip, subject, take, camera, _ = match.groups()
                param = _camera(cameras, subject, camera, self.camera_param_file)
                arrays = pose_arrays(clip, keypoints[rows], joints[rows, :, :3])
                facts = name, subject, canonical_action(take), _FPS / step
                clips.append(Clip(*facts, arrays, dict(camera_param=param)))
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
        """Read the recordings that both files have, and warn of the others."""
        path = self.find_file(self.keypoint_2d_file)
        content = load_objects(path)
        left = get_skeleton('h36m-17').left
        with naming(path):
            metadata = content['metadata']
            sides = metadata.get('keypoints_symmetry', [()])
            if list(sides[0]) != left:
                raise ValueError(
                    f'has keypoints {metadata.get("layout_name", "")}, whose left ones '
                    f"are {list(sides[0])}: wanted Human3.6M's, {left}"
                )
            takes = _by_take(content['positions_2d'])
            keypoints = {take: [*map(_used_joints, views)] for take, views in takes}
        path = self.find_file(self.files[0])
        content = load_objects(path)
        with naming(path):
            takes = _by_take(content['positions_3d'])
            joints = {take: _used_joints(poses) for take, poses in takes}
        if missing := sorted(joints.keys() ^ keypoints.keys()):
            names = [' '.join(take) for take in missing[:5]]
            MMLogger.get_current_instance().warning(
                f'{len(missing)} recordings are left out, as {self.files[0]} or '
                f'{self.keypoint_2d_file} lacks them, such as {", ".join(names)}'
            )
        cameras = read_h36m_cameras(self.find_file(self.camera_param_file))
        clips = []
        for subject, take in sorted(joints.keys() & keypoints.keys()):
            for camera, pixels in zip(CAMERAS, keypoints[subject, take], strict=True):
                name = f'{subject}_{take.replace(" ", "_")}.{camera}'
                file = self.camera_param_file
                param = _camera(cameras, subject, camera, file, 'RTfcwh')
                place, axes = np.reshape(param['T'], 3), np.reshape(param['R'], (3, 3))
                seen = (joints[subject, take] - place) @ axes
                arrays = pose_arrays(name, pixels[: len(seen)], seen)
                facts = name, subject, canonical_action(take), _FPS
                clips.append(Clip(*facts, arrays, dict(camera_param=param)))
        return clips


def _by_take(subjects: dict[str, dict]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield the entries of nested dicts with their (subject, take)."""
    for subject, takes in subjects.items():
        for take, poses in takes.items():
            yield (subject, take), poses


def _used_joints(poses: object) -> np.ndarray:
    """Select the used ones of recorded joints, (T, 17, ...)."""
    poses = np.asarray(poses)
    return poses[:, _USED] if poses.shape[1] == len(_RECORDED.split()) else poses


@DATASETS.register_module()
class MotionBERTDataset(ClipDataset):
    """Human3.6M in MotionBERT's file of stacked hourglass detections.

    The file has joints in image space (pixels, and depth at the same scale) and, for
    testing, millimeters per pixel. Samples have ``lifting_target`` in camera axes and
    ``camera_param`` of a camera for which :class:`ImageSpacePoseLifting` gives back
    the file's joints; otherwise they are as in :class:`Human36mClipDataset`. Clips are
    named as in the file: 's_09_act_05_subact_02.ca_01'.

    Args:
        ann_file (str): ``h36m_sh_conf_cam_source_final.pkl`` or alike.
        split (str): 'train' or 'test'.
        millimeters_per_pixel (float, optional): Scale for splits of the file that have
            none, such as 'train'. The labels of :class:`ImageSpacePoseLifting` do not
            depend on it; the labels of other codecs do.
        ground_truth (bool): Whether 2D poses are the true ones, with scores of 1,
            instead of detections.
        **kwargs: Arguments of :class:`ClipDataset`.
    """

    how_to_get = Human36mClipDataset.how_to_get
    # Focal length in pixels, about Human3.6M's; it cancels out, see the class.
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
        sources = np.asarray(data['source'])
        pixels, scores, joints = (
            np.asarray(data[name], np.float32)
            for name in ('joint_2d', 'confidence', 'joint3d_image')
        )
        if self.ground_truth:
            pixels, scores = joints, np.ones_like(scores)
        scale = data.get('2.5d_factor')
        scale = self.millimeters_per_pixel if scale is None else scale
        if scale is None:
            raise ValueError(
                f'{self.split} has no 2.5d_factor; set millimeters_per_pixel'
            )
        meters = np.broadcast_to(np.asarray(scale, np.float32) / 1000, len(sources))
        keypoints = np.dstack([pixels[..., :2], scores.reshape(pixels.shape[:2])])
        for rows in split_rows(sources[1:] != sources[:-1]):
            source = str(sources[rows[0]])
            recording, _, number_of_camera = source.rpartition('_ca_')
            _, subject, _, act, *_ = recording.split('_')
            number, name = int(act) - 2, f'{recording}.ca_{number_of_camera}'
            width, height = frame_size(str(data['camera_name'][rows[0]]))
            center = np.array([width / 2, height / 2], np.float32)
            unit, in_image = meters[rows, None], joints[rows]
            depth = self.focal * unit + (in_image[..., 2] - in_image[:, :1, 2]) * unit
            across = (in_image[..., :2] - center) / self.focal * depth[..., None]
            in_camera = np.concatenate([across, depth[..., None]], -1)
            focal = np.full(2, self.focal, np.float32)
            action = ACTIONS[number] if 0 <= number < len(ACTIONS) else ''
            arrays = pose_arrays(name, keypoints[rows], in_camera)
            camera = dict(w=width, h=height, f=focal, c=center)
            facts = name, f'S{int(subject)}', action, _FPS
            yield Clip(*facts, arrays, dict(camera_param=camera))


def read_h36m_cameras(path: Path) -> dict:
    """Read MMPose's camera file, dicts of parameters by name."""
    with naming(path):
        return dict(load_objects(path))


def _camera(
    cameras: dict, subject: str, camera: str, path: str, names: str = 'fcwh'
) -> dict:
    param = cameras.get((subject, camera))
    if not isinstance(param, dict) or not param.keys() >= set(names):
        raise ValueError(
            f'{path} lacks camera {camera} of {subject}, or its {", ".join(names)}'
        )
    return param
