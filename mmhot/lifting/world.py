"""Lifted clips in the world: where people are, on which floor."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d

from mmhot.clips import Clip3D, to_axes
from mmhot.lens import DEFAULT_FOCAL_RATIO, Lens
from mmhot.lifting.ground import ANKLE_HEIGHT, find_floor
from mmhot.lifting.placement import place_roots

# Over how long somebody's lowest joint is taken to be on the floor, seconds.
_FLOOR_SECONDS = 0.2
_SIDES = ('left', 'right')


def place_people(clip: Clip3D, lens: Lens | None = None) -> Clip3D:
    """Say where everybody is, by the pixels that were lifted.

    Args:
        clip (Clip3D): In camera axes.
        lens (Lens, optional): By default one without distortion is assumed, whose
            focal length is ``mmhot.lens.DEFAULT_FOCAL_RATIO`` of the picture's longer
            side.

    Returns:
        Clip3D: A new clip with ``root_3d``; distances are as wrong as the focal length
        and the body's size.

    Raises:
        ValueError: If the axes are others or the lens is for other pictures.
    """
    if clip.axes != 'camera':
        raise ValueError(f"places are found in 'camera' axes, not in {clip.axes!r}")
    keypoints = clip.keypoints_2d
    focal = DEFAULT_FOCAL_RATIO * max(clip.width, clip.height)
    if lens is not None:
        lens = lens.fitted(clip.width, clip.height)
        keypoints, focal = lens.straighten(keypoints), lens.focal[0]
    root = np.full((len(clip), 3), np.nan, np.float32)
    for rows in clip.stretches():
        root[rows] = place_roots(
            clip.keypoints_3d[rows],
            keypoints[rows],
            np.maximum(clip.scores[rows], 0.05),
            np.full(2, focal),
            np.array([clip.width, clip.height]) / 2,
            clip.seconds(clip.frame[rows]),
        )
    return replace(
        clip,
        root_3d=root,
        focal_length=float(focal),
        focal_assumed=lens is None,
        intrinsics=() if lens is None else lens.parameters,
    )


def scale_people(clip: Clip3D, height: float) -> Clip3D:
    """Make everybody of a clip so tall.

    Args:
        clip (Clip3D): Human3.6M's joints; places are scaled as well.
        height (float): From the floor to the top of the head, meters.

    Returns:
        Clip3D: A new clip; each person keeps one size throughout.

    Raises:
        ValueError: If nobody is so tall.
    """
    if not 0.3 <= height <= 3:
        raise ValueError(f'height must be from 0.3 to 3 meters, got {height}')
    poses, root = clip.keypoints_3d.copy(), clip.root_3d.copy()
    for track in np.unique(clip.track):
        rows = clip.track == track
        factor = height / _height(poses[rows], clip.joint_names)
        poses[rows] *= factor
        root[rows] *= factor
    return replace(clip, keypoints_3d=poses, root_3d=root)


def _height(poses: np.ndarray, names: tuple[str, ...]) -> float:
    """Height of a person who stretches, from (T, K, 3): trunk, one leg, ankle."""
    trunk = ('root', 'spine', 'thorax', 'neck_base', 'head')
    legs = [(f'{side}_hip', f'{side}_knee', f'{side}_foot') for side in _SIDES]
    lengths = [
        np.median(np.linalg.norm(poses[:, joint] - poses[:, next_joint], axis=-1))
        for chain in (trunk, *legs)
        for joint, next_joint in pairwise(map(names.index, chain))
    ]
    return sum(lengths[:4]) + sum(lengths[4:]) / 2 + ANKLE_HEIGHT


def to_world(clip: Clip3D, static_camera: bool = False) -> Clip3D:
    """Put people onto a floor: z up, the floor at zero, the camera at x = y = 0.

    Args:
        clip (Clip3D): In camera axes, with ``root_3d``.
        static_camera (bool): Whether the camera stood still. If so, the floor is one
            plane, whose tilt against the camera and height are found from feet and
            postures. If not, the camera is taken to be level, and everybody's lowest
            joint to be on the floor: nobody jumps.

    Returns:
        Clip3D: A new clip in ``'world'`` axes.
    """
    clip = to_axes(clip, 'z-up')
    ankles = [
        i for i, n in enumerate(clip.joint_names) if n.endswith(('foot', 'ankle'))
    ]
    root, poses = clip.root_3d.astype(np.float64), clip.keypoints_3d.astype(np.float64)
    if static_camera:
        feet = poses[:, ankles] + root[:, None]
        trunks = poses[:, clip.joint_names.index('thorax')] - poses[:, ankles].mean(1)
        rotation, height = find_floor(feet.reshape(-1, 3), trunks)
        root = root @ rotation.T - [0, 0, height]
        poses = poses @ rotation.T
    else:
        for rows in clip.stretches():
            lowest = poses[rows][..., 2].min(1)
            size = max(round(_FLOOR_SECONDS * clip.fps), 1)
            root[rows, 2] = ANKLE_HEIGHT - uniform_filter1d(
                lowest, size, mode='nearest'
            )
    return replace(
        clip,
        axes='world',
        root_3d=root.astype(np.float32),
        keypoints_3d=poses.astype(np.float32),
    )
