"""Motion capture as test data: dataset options, clips, 2D keypoints with noise."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from mmhot.chain.poses.contacts import ANKLES
from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.io.arrays import load_arrays
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.clips_3d import Clip3D
from tools.motion_quality import find_contacts

FPS = 50.0
"""Frames per second of the motion capture."""
# A pose belongs to another person if its joints are farther than this from the ground
# truth on average, as a share of the person's height.
_MAX_DISTANCE = 0.5
# Longer motions are cut, so that all weigh about the same.
_MAX_FRAMES = 400
_NOISE = RandomDetectorNoise(seed=0)
_MIN_FRAMES = 12  # shortest motion at another rate


@dataclass(frozen=True)
class GroundTruth:
    """Ground truth of the one person in a clip.

    Attributes:
        pixels (np.ndarray): Human3.6M's joints in the image, (T, 17, 2).
        poses (np.ndarray): Relative to the root, meters in camera axes, (T, 17, 3).
        root (np.ndarray | None): Positions of the root in camera axes, (T, 3).
        contacts (np.ndarray | None): Whether the right and left ankle stand, (T, 2).
    """

    pixels: np.ndarray
    poses: np.ndarray
    root: np.ndarray | None = None
    contacts: np.ndarray | None = None

    @classmethod
    def read(cls, path: Path) -> 'GroundTruth':
        """Read the labels of a rendered clip, see tests/data/rendered_clips.md."""
        arrays = load_arrays(path)
        if 'h36m_2d' not in arrays:
            raise ValueError(f'{path} is not the ground truth of a clip: no h36m_2d')
        poses = arrays['h36m_cam3d']
        truth = cls(arrays['h36m_2d'], poses - poses[:, :1], poses[:, 0])
        if 'h36m_world3d' not in arrays:  # older clips
            return truth
        ankles = arrays['h36m_world3d'][:, ANKLES]
        return replace(truth, contacts=find_contacts(ankles, float(arrays['fps'])))


def add_motion_arguments(parser: argparse.ArgumentParser, motions: int) -> None:
    """Add the options of :func:`select_motions`."""
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument(
        '--motions', type=int, default=motions, help=f'number (default: {motions})'
    )
    parser.add_argument(
        '--subjects', nargs='+', default=[], help='such as S85 (default: split val)'
    )


def select_motions(
    data_root: str | Path, count: int, subjects: Sequence[str] = (), fps: float = FPS
) -> list[tuple[np.ndarray, dict]]:
    """Select evenly spaced motions, each with one camera, for :func:`project_motion`.

    Args:
        data_root (str | Path): Folder of motion capture, see docs/data.md.
        count (int): Number of motions.
        subjects (Sequence[str]): Subjects, such as 'S85'. Defaults to the validation
            split.
        fps (float): Frames per second. Defaults to 50.

    Returns:
        list[tuple[np.ndarray, dict]]: Joints in meters, z up, (T, 17, 3), and camera.
    """
    settings: dict[str, Any] = dict(ann_file='cmu_h36m17.npz', split='val')
    if subjects:
        settings = dict(
            ann_file=['cmu_h36m17.npz', 'cmu_h36m17_more.npz'],
            split=['train', 'val', 'unlisted'],
            subjects=[*subjects],
        )
    dataset = MocapDataset(
        split_file='cmu_split.json',
        camera_file='virtual_cameras.json',
        data_root=str(data_root),
        fps=fps,
        test_mode=True,
        **settings,
    )
    indices = np.linspace(0, len(dataset.clips) - 1, count).round().astype(int)
    clips = [dataset.clips[index] for index in indices]
    return [
        (clip.arrays['joints_world'][:_MAX_FRAMES], clip.constants['camera_param'])
        for clip in clips
    ]


def resampled(
    motions: list[np.ndarray], fps: float, speed: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield motions (T, 17, 3), faster and at a frame rate, and their seconds (T,)."""
    for motion in motions:
        times = np.arange(len(motion))
        places = CubicSpline(times, motion)(np.arange(0, times[-1], FPS * speed / fps))
        if len(places) >= _MIN_FRAMES:
            yield places, np.arange(len(places)) / fps


def project_motion(
    joints: np.ndarray,
    camera: dict,
    seed: int,
    fps: float = FPS,
    noise: RandomDetectorNoise = _NOISE,
) -> tuple[Clip2D, GroundTruth]:
    """Project a motion in meters, z up, (T, 17, 3), and add a 2D detector's noise.

    Returns keypoints with scores, and the ground truth. The camera is as in
    :func:`mmhot.datasets.transforms.virtual_camera.project`.
    """
    pixels, in_camera = project(joints + floor_offset(joints), camera)
    noisy = noise.transform(dict(keypoints=pixels, id=seed))
    scores = noisy['keypoints_visible'].astype(np.float32)
    track = Track2D(0, np.arange(len(joints)), noisy['keypoints'], scores)
    path = Path(f'motion{seed}')
    clip = Clip2D(path.name, 'h36m-17', [track], camera['w'], camera['h'], fps, path)
    contacts = find_contacts(joints[:, ANKLES], fps)
    root = in_camera[:, 0]
    poses = in_camera - in_camera[:, :1]
    return clip, GroundTruth(pixels, poses, root=root, contacts=contacts)


def rows_of_person(
    lifted: Clip3D,
    pixels: np.ndarray,
    joints: Sequence[int] | slice = slice(None),
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Find the pose nearest to pixels (T, K, 2) in each frame, if it is near enough.

    ``joints`` are compared; the rest may be unknown. Poses that are nearer to pixels of
    ``others`` do not count.
    """
    targets = np.stack([pixels, *others])[:, lifted.frame][:, :, joints]
    offsets = lifted.keypoints_2d[:, joints] - targets
    distances = np.linalg.norm(offsets, axis=-1).mean(-1)
    distance = distances[0] / np.ptp(targets[0, ..., 1], axis=1)
    distance[distances.min(0) < distances[0]] = np.inf
    order = np.lexsort((distance, lifted.frame))
    _, first = np.unique(lifted.frame[order], return_index=True)
    rows = order[first]
    rows = rows[distance[rows] < _MAX_DISTANCE]
    if not len(rows):
        raise ValueError(f'{lifted.name}: no pose is near the ground truth')
    return rows
