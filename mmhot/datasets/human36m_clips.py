"""Human3.6M as MMPose prepares it, by clips."""

from pathlib import Path

import numpy as np
from mmengine.fileio import load
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.h36m_names import H36MName, parse_h36m_name
from mmhot.io.arrays import load_arrays


@DATASETS.register_module()
class Human36mClipDataset(ClipDataset):
    """Human3.6M in MMPose's files; a clip is one recording of one camera.

    MMPose's :class:`Human36mDataset` makes a list of all windows first, which takes
    over 100 GB where each frame has its own window of 243; here they are cut when they
    are asked for. Samples hold ``keypoints`` (T, 17, 2), ``keypoints_visible``
    (T, 17), ``lifting_target`` of the targets in meters, (num_targets, 17, 3), and
    ``camera_param``; the action of 'WalkDog_1' is 'WalkDog'.

    Args:
        ann_file (str): Annotations, ``.npz``.
        camera_param_file (str): Cameras, ``.pkl``.
        keypoint_2d_det_file (str, optional): 2D poses that a detector found, ``.npy``
            (N, 17, 3), instead of those of the annotations.
        fps (float): Frames per second of the files. Defaults to 50.
        **kwargs: See :class:`ClipDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If files do not fit each other or are not what they should be.
    """

    how_to_get = 'MMPose\'s docs, "Prepare Datasets", say how it is made'

    def __init__(
        self,
        ann_file: str,
        camera_param_file: str,
        keypoint_2d_det_file: str | None = None,
        fps: float = 50.0,
        **kwargs,
    ) -> None:
        self.annotation_file = ann_file
        self.camera_param_file = camera_param_file
        self.keypoint_2d_det_file = keypoint_2d_det_file
        self.fps = fps
        super().__init__(ann_file='', **kwargs)

    def load_clips(self) -> list[Clip]:
        """All recordings, sorted as MMPose sorts them."""
        path = self.find_file(self.annotation_file)
        names, joints, keypoints = _load_annotations(path)
        if self.keypoint_2d_det_file is not None:
            keypoints = _load_detections(self.find_file(self.keypoint_2d_det_file))
        wanted = (len(names), 17)
        for what, array in (('3D joints', joints), ('keypoints', keypoints)):
            if array.shape[:2] != wanted or array.shape[2:] < (3,):
                raise ValueError(
                    f'{path} has {len(names)} pictures, whose {what} must be '
                    f'{(*wanted, 3)}, got {array.shape}'
                )
        cameras = load(str(self.find_file(self.camera_param_file)))
        recordings = {}
        for row, name in enumerate(map(parse_h36m_name, names.tolist())):
            of_recording = recordings.setdefault(name.clip, (name, []))
            of_recording[1].append(row)
        return [
            self._clip(first, joints[rows], keypoints[rows], cameras)
            for _, (first, rows) in sorted(recordings.items())
        ]

    def get_data_info(self, idx: int) -> dict:
        """One window, before the pipeline; see the class."""
        info = super().get_data_info(idx)
        info['lifting_target'] = info['lifting_target'][info['target_frames']]
        return info

    def _clip(
        self,
        name: H36MName,
        joints: np.ndarray,
        keypoints: np.ndarray,
        cameras: dict,
    ) -> Clip:
        if (name.subject, name.camera) not in cameras:
            raise ValueError(
                f'{self.camera_param_file} lacks camera {name.camera} of {name.subject}'
            )
        keypoints = keypoints.astype(np.float32)
        return Clip(
            name=name.clip,
            subject=name.subject,
            action=name.action,
            fps=self.fps,
            arrays=dict(
                keypoints=keypoints[..., :2],
                keypoints_visible=keypoints[..., 2],
                lifting_target=joints[..., :3].astype(np.float32),
            ),
            constants=dict(camera_param=cameras[name.subject, name.camera]),
        )


def _load_annotations(path: Path) -> list[np.ndarray]:
    names = ('imgname', 'S', 'part')
    try:
        arrays = load_arrays(path, names)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f'{path} has no {", ".join(missing)}')
    return [arrays[name] for name in names]


def _load_detections(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path} is no readable .npy: {error}') from error
