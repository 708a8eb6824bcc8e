"""Human3.6M dataset for lifting, in the files that MMPose prepares."""

from pathlib import Path

import numpy as np
from mmengine.fileio import load
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.h36m import H36MName, parse_h36m_name
from mmhot.errors import naming
from mmhot.io.arrays import load_arrays


@DATASETS.register_module()
class Human36mClipDataset(ClipDataset):
    """Human3.6M in MMPose's files; a clip is one recording of one camera.

    MMPose's :class:`Human36mDataset` lists all windows in advance, which takes over
    100 GB with a window of 243 frames around each frame; here a window is cut when it
    is requested. Samples hold ``keypoints`` (T, 17, 2), ``keypoints_visible``
    (T, 17), ``lifting_target`` of the targets in meters, (num_targets, 17, 3), and
    ``camera_param``; the action of 'WalkDog_1' is 'WalkDog'.

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

    how_to_get = 'see "Prepare Datasets" in MMPose\'s documentation'

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
        cameras = load(str(self.find_file(self.camera_param_file)))
        recordings = {}
        for row, name in enumerate(map(parse_h36m_name, names.tolist())):
            first, rows = recordings.setdefault(name.clip, (name, []))
            rows.append(row)
        return [
            self._clip(first, joints[rows], keypoints[rows], cameras)
            for _, (first, rows) in sorted(recordings.items())
        ]

    def get_data_info(self, idx: int) -> dict:
        """Return one window, before the pipeline; see the class."""
        info = super().get_data_info(idx)
        info['lifting_target'] = info['lifting_target'][info['target_frames']]
        return info

    def _clip(
        self, name: H36MName, joints: np.ndarray, keypoints: np.ndarray, cameras: dict
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
