"""Step ``camera_3d``: map back to the video, or state a static camera."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.keypoints.camera import stabilize, turn_rays
from mmhot.chain.keypoints.camera_path import is_static, static_path
from mmhot.chain.lifting.lifted import Lifted, LiftedStep
from mmhot.chain.step import PoseStep
from mmhot.errors import ArgumentError
from mmhot.geometry.rotations import rotation_matrices
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import Camera, ideal_pixels


@dataclass(frozen=True, kw_only=True)
class RestoreCamera(LiftedStep):
    """Step ``camera_3d``: map 2D keypoints back to pixels of the video."""

    name = 'camera_3d'
    goes_with = 'camera'
    part = 'camera'
    optional = False

    def __call__(self, clip: Clip3D, lifted: Lifted) -> Clip3D:
        """Undo :class:`mmhot.chain.keypoints.camera.StabilizeCamera`.

        Poses stay in the axes of the first frame.
        """
        camera = lifted.keypoints.camera
        if camera is None:
            return clip
        clip = replace(clip, camera=camera)
        if is_static(camera.path):
            return clip
        lens = camera.lens
        center = np.array([clip.width, clip.height]) / 2
        path = camera.path[clip.frame].astype(np.float64)
        zoom = path[:, 3, None, None]

        def restore(keypoints: np.ndarray) -> np.ndarray:
            """Map stabilized keypoints (N, K, 2) to pixels of their frames."""
            rays = (keypoints - center) / clip.focal_length
            turned = turn_rays(rays, rotation_matrices(-path[:, :3]))
            pixels = clip.focal_length * zoom * turned + center
            return (pixels if lens is None else lens.distort(pixels)).astype(np.float32)

        seen = clip.detected_2d
        return replace(
            clip,
            keypoints_2d=restore(clip.keypoints_2d),
            detected_2d=None if seen is None else restore(seen),
            lens=lens,
        )


@dataclass(frozen=True, kw_only=True)
class HoldCamera(PoseStep):
    """Step ``camera_3d`` for keypoints and poses without their video."""

    name = 'camera_3d'
    goes_with = 'camera'

    static_camera: Annotated[
        bool,
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
    ] = False

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Record a static camera if the user states one.

        Raises:
            ArgumentError: If the clip has a camera that turns.
        """
        if not self.static_camera or not len(clip):
            return clip
        if clip.camera is not None:
            if not is_static(clip.camera.path):
                raise ArgumentError(
                    '{static_camera} is wrong: the camera of %s turns', clip.name
                )
            return clip
        path = static_path(int(clip.frame.max()) + 1)
        return replace(clip, camera=Camera(path, clip.lens))


def stable_keypoints(clip: Clip3D) -> np.ndarray:
    """Return the 2D keypoints of a clip as a static camera would see them.

    Args:
        clip (Clip3D): Poses with 2D keypoints. Without a camera, these stay as they
            are.

    Returns:
        np.ndarray: Pixels, without distortion by the lens, (N, K, 2).
    """
    points = clip.keypoints_2d
    if clip.camera is None:
        return points
    size = (clip.width, clip.height)
    points, focal = ideal_pixels(points, size, clip.lens)
    path = clip.camera.path
    if is_static(path):
        return points
    return stabilize(points, clip.frame, path, focal, size)
