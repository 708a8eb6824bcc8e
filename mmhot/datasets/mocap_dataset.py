"""Motion capture dataset for lifting, projected by virtual cameras."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset, check_poses
from mmhot.errors import naming, require_file
from mmhot.io.arrays import load_arrays, load_json

# Shapes of rotation, translation, focal lengths and principal point of a camera
_CAMERA_SHAPES = dict(R=(3, 3), T=(3,), f=(2,), c=(2,))


@DATASETS.register_module()
class MocapDataset(ClipDataset):
    """Motion capture clips in meters, z up.

    ``.npz`` files have one float array (T, K, 3) for each clip, with the key
    ``subject/take``. One JSON file has splits, lists of these keys by name, and another
    one has cameras. The joints are Human3.6M's, or follow ``metainfo``, root first.
    Samples hold ``joints_world`` (T, K, 3) and, with cameras, ``camera_param``;
    :class:`ProjectToVirtualCamera` projects them. For transforms that mix motions,
    ``draw_window()`` returns the joints of a random window.

    Args:
        ann_file (str or list[str]): File or files of the clips.
        split_file (str, optional): JSON of splits; without it all clips are used.
        split (str or list[str], optional): Names of splits within ``split_file``.
            Clips that are in no split of that file form the split ``'unlisted'``.
        camera_file (str, optional): JSON of cameras; each camera sees each clip
            (evaluation). Without it the pipeline draws cameras (training).
        sources (list[str]): Names of 2D sources, such as 'gt' and 'noisy'. Each clip
            is listed once for each source, with the source as ``dataset_name``.
            Transforms depend on it, and metrics are separate.
        skip_subjects (list[str]): Subjects to leave out.
        actions (dict[str, str], optional): Action label of a clip, by its key.
        fps (float): Frames per second of the files.
        **kwargs: Arguments of :class:`ClipDataset`.
    """

    how_to_get = 'see "CMU motion capture" in docs/data.md'

    def __init__(
        self,
        *,
        split_file: str | None = None,
        split: str | list[str] | None = None,
        camera_file: str | None = None,
        sources: Sequence[str] = (),
        skip_subjects: Sequence[str] = (),
        actions: dict[str, str] | None = None,
        fps: float = 50.0,
        **kwargs,
    ) -> None:
        self.split_file = split_file
        self.split = [split] if isinstance(split, str) else split
        self.camera_file = camera_file
        self.sources = list(sources)
        self.skip_subjects = set(skip_subjects)
        self.actions = actions or {}
        self.fps = fps
        super().__init__(**kwargs)

    def load_clips(self) -> list[Clip]:
        """Read the chosen clips, once for each source and camera."""
        arrays: dict[str, np.ndarray] = {}
        for name in self.files:
            count = self._metainfo['num_keypoints']
            arrays |= read_mocap_clips(self.find_file(name), count)
        keys = self._chosen(list(arrays))
        keys = [key for key in keys if key.split('/')[0] not in self.skip_subjects]
        cameras: list[Any] = [None]
        if self.camera_file is not None:
            cameras = read_cameras(self.find_file(self.camera_file))
        sources = self.sources or [self.dataset_name]
        clips = []
        for source, camera, key in product(sources, cameras, keys):
            constants = dict(dataset_name=source)
            name = key
            if camera is not None:
                constants['camera_param'] = camera
                name = f'{key}.{camera["name"]}'
            clips.append(
                Clip(
                    name,
                    subject=key.rpartition('/')[0],
                    action=self.actions.get(key, ''),
                    fps=self.fps,
                    arrays=dict(joints_world=arrays[key]),
                    constants=constants,
                )
            )
        return clips

    def get_data_info(self, idx: int) -> dict:
        """Return one window, before the pipeline; see the class."""
        return super().get_data_info(idx) | {'draw_window': self._draw_window}

    def _draw_window(self) -> np.ndarray:
        """Draw a window by NumPy's global generator; return its joints (T, K, 3)."""
        # Transforms call this after SeedTransforms has seeded the generator.
        idx = np.random.randint(len(self))  # noqa: NPY002
        return super().get_data_info(idx)['joints_world']

    def _chosen(self, keys: list[str]) -> list[str]:
        """Select the clips of the splits, by their keys ``subject/take``."""
        if self.split_file is None:
            return keys
        path = self.find_file(self.split_file)
        with naming(path):
            splits: Any = load_json(path)
            listed = {key for names in splits.values() for key in names}
        splits['unlisted'] = [key for key in keys if key not in listed]
        unknown = set(self.split or []) - set(splits)
        if unknown or not self.split:
            raise ValueError(
                f'split must name some of {sorted(splits)}, which {self.split_file} '
                f'has, got {self.split}'
            )
        chosen = {key for name in self.split for key in splits[name]}
        return [key for key in keys if key in chosen]


def read_mocap_clips(path: Path, num_keypoints: int = 17) -> dict[str, np.ndarray]:
    """Read the clips of an ``.npz`` file.

    Args:
        path (Path): The file.
        num_keypoints (int): Joints ``K``. Defaults to 17.

    Returns:
        dict[str, np.ndarray]: Joints in meters, z up, float32 (T, K, 3), by clip.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If its content is wrong.
    """
    require_file(path)
    with naming(path):
        return {
            key: check_poses(key, joints, num_keypoints)
            for key, joints in load_arrays(path).items()
        }


def read_cameras(path: Path) -> list[dict]:
    """Read the cameras of a JSON file.

    Returns:
        list[dict]: ``name``, ``w`` and ``h`` in pixels, and float32 ``R`` (3, 3)
        camera-to-world, ``T`` (3,) in meters, ``f`` (2,) and ``c`` (2,) in pixels.
    """
    with naming(path):
        cameras: Any = load_json(path)
        return [
            dict(name=content['name'], w=int(content['w']), h=int(content['h']))
            | {
                key: np.array(content[key], np.float32).reshape(shape)
                for key, shape in _CAMERA_SHAPES.items()
            }
            for content in cameras['cameras']
        ]
