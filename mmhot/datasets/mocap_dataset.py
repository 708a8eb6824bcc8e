"""Motion capture seen through virtual cameras."""

import json
from pathlib import Path

import numpy as np
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.mocap_clips import read_mocap_clips


@DATASETS.register_module()
class MocapDataset(ClipDataset):
    """Clips of 17 joints in meters, z up; 2D comes from cameras in the pipeline.

    Reads ``.npz`` files with one float array (T, 17, 3) a clip, keyed
    ``subject/take``, a JSON file of named splits (lists of such keys) and a JSON file
    of cameras. Samples hold ``joints_world`` (T, 17, 3) and, with cameras,
    ``camera_param``: a transform of :mod:`mmhot.datasets.transforms` projects. For
    transforms that mix motions, ``draw_window()`` returns another's joints.

    Args:
        ann_file (str or list[str]): The clips' file or files.
        split_file (str, optional): JSON of splits; without it all clips are used.
        split (str or list[str], optional): Names of splits within ``split_file``.
            Clips that no split of that file names belong to ``'unlisted'``.
        camera_file (str, optional): JSON of cameras; with it, every clip is seen by
            every camera in turn (evaluation). Without it, a random camera is the
            pipeline's to make (training).
        sources (list[str]): Names of 2D sources, such as 'gt' and 'noisy': every clip
            is listed once for each, which is then the sample's ``dataset_name``.
            Transforms act on it, and metrics count sources apart.
        skip_subjects (list[str]): Subjects to leave out.
        actions (dict[str, str], optional): What is done in a clip, by its key; the
            files do not say.
        fps (float): Frames per second of the files.
        **kwargs: See :class:`ClipDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is not what it should be, or the split is empty.
    """

    how_to_get = 'docs/data.md, "CMU motion capture", says how to fill data/cmu_mocap'

    def __init__(
        self,
        ann_file: str | list[str],
        split_file: str | None = None,
        split: str | list[str] | None = None,
        camera_file: str | None = None,
        sources: list[str] | tuple[str, ...] = (),
        skip_subjects: list[str] | tuple[str, ...] = (),
        actions: dict[str, str] | None = None,
        fps: float = 50.0,
        **kwargs,
    ) -> None:
        self.clip_files = [ann_file] if isinstance(ann_file, str) else list(ann_file)
        self.split_file = split_file
        self.split = [split] if isinstance(split, str) else split
        self.camera_file = camera_file
        self.sources = list(sources)
        self.skip_subjects = set(skip_subjects)
        self.actions = actions or {}
        self.fps = fps
        super().__init__(ann_file='', **kwargs)

    def load_clips(self) -> list[Clip]:
        """All chosen clips, once for each camera."""
        arrays = {}
        for name in self.clip_files:
            arrays.update(read_mocap_clips(self.find_file(name)))
        keys = [
            key
            for key in self._chosen(list(arrays))
            if key.split('/')[0] not in self.skip_subjects
        ]
        if not keys:
            raise ValueError(
                f'no clip is left of {self.clip_files} with split={self.split} and '
                f'skip_subjects={sorted(self.skip_subjects)}'
            )
        cameras = [None]
        if self.camera_file is not None:
            cameras = _read_cameras(self.find_file(self.camera_file))
        sources = self.sources or [self.dataset_name]
        return [
            self._clip(key, arrays[key], camera, source)
            for source in sources
            for camera in cameras
            for key in keys
        ]

    def get_data_info(self, idx: int) -> dict:
        """One window, before the pipeline; see the class."""
        return super().get_data_info(idx) | {'draw_window': self._draw_window}

    def _draw_window(self) -> np.ndarray:
        """Joints (T, 17, 3) of a window drawn by NumPy's global generator."""
        # SeedTransforms has seeded it by the time that a transform calls
        idx = np.random.randint(len(self))  # noqa: NPY002
        return super().get_data_info(idx)['joints_world']

    def _chosen(self, keys: list[str]) -> list[str]:
        if self.split_file is None:
            return keys
        path = self.find_file(self.split_file)
        splits = _read_json(path)
        if not isinstance(splits, dict) or not all(
            isinstance(names, list) for names in splits.values()
        ):
            raise ValueError(f'{path} must hold lists of clips by split')
        listed = {key for names in splits.values() for key in names}
        splits['unlisted'] = [key for key in keys if key not in listed]
        unknown = set(self.split or []) - set(splits)
        if unknown or not self.split:
            raise ValueError(
                f'split={self.split} of {self.split_file} must name some of '
                f'{sorted(splits)}'
            )
        wanted = {key for name in self.split for key in splits[name]}
        return [key for key in keys if key in wanted]

    def _clip(
        self, key: str, joints: np.ndarray, camera: dict | None, source: str
    ) -> Clip:
        constants = dict(dataset_name=source)
        if camera is not None:
            constants.update(camera_param=camera)
        view = '' if camera is None else f'.{camera["name"]}'
        return Clip(
            name=f'{key}{view}',
            subject=key.rpartition('/')[0],
            action=self.actions.get(key, ''),
            fps=self.fps,
            arrays=dict(joints_world=joints),
            constants=constants,
        )


def _read_json(path: Path):
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is no readable JSON: {error}') from error


def _read_cameras(path: Path) -> list[dict]:
    """Cameras with float32 arrays ``R`` (3, 3), ``T`` (3,), ``f`` (2,), ``c`` (2,)."""
    content = _read_json(path)
    try:
        return [
            dict(
                name=camera['name'],
                R=np.array(camera['R'], np.float32).reshape(3, 3),
                T=np.array(camera['T'], np.float32).reshape(3),
                f=np.array(camera['f'], np.float32).reshape(2),
                c=np.array(camera['c'], np.float32).reshape(2),
                w=int(camera['w']),
                h=int(camera['h']),
            )
            for camera in content['cameras']
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} must hold "cameras", each with name, R, T, f, c, w, h: {error!r}'
        ) from error
