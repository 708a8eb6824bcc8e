"""Stabilization: keypoints as a camera that neither turns nor zooms would see them."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.motion.camera_path import is_static
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens, ideal_pixels


class StabilizeCamera:
    """Processor ``camera``: keypoints as a static camera would see them.

    Poses of all frames then share the axes of the camera in the first frame of the
    shot.
    """

    name, stage, needs = 'camera', 'keypoints', ('camera_path', 'lens')

    def __call__(
        self, clip: Clip2D, camera_path: np.ndarray, lens: Lens | None
    ) -> Clip2D:
        """Map keypoints; the lens is that of the first frame of each shot."""
        if is_static(camera_path):
            return clip
        size, tracks = (clip.width, clip.height), []
        for track in clip.tracks:
            points, focal = ideal_pixels(track.keypoints, size, lens)
            points = stabilize(points, track.frames, camera_path, focal, size)
            tracks.append(replace(track, keypoints=points))
        ideal = None if lens is None else Lens.pinhole(lens.focal[0], *size)
        return replace(clip, tracks=tracks, lens=ideal)


class RestoreCamera:
    """Processor ``camera``: 2D keypoints of lifted clips in pixels of the video."""

    name, stage, needs = 'camera', 'poses', ('camera_path', 'lens')

    def __call__(
        self, clip: Clip3D, camera_path: np.ndarray, lens: Lens | None
    ) -> Clip3D:
        """Undo :class:`StabilizeCamera`; poses stay in axes of the first frame."""
        if is_static(camera_path):
            return replace(clip, camera_path=camera_path)
        focal, center = clip.focal_length, np.array([clip.width, clip.height]) / 2
        own = camera_path[clip.frame].astype(np.float64)
        rays = (clip.keypoints_2d - center) / focal
        rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
        turned = rays @ Rotation.from_rotvec(own[:, :3]).as_matrix()
        flat = turned[..., :2] / np.maximum(turned[..., 2:], 0.1)
        pixels = focal * own[:, 3, None, None] * flat + center
        pixels = pixels if lens is None else lens.distort(pixels)
        return replace(
            clip,
            keypoints_2d=pixels.astype(np.float32),
            intrinsics=() if lens is None else lens.parameters,
            camera_path=camera_path,
        )


def stabilize(
    pixels: np.ndarray,
    frames: np.ndarray,
    path: np.ndarray,
    focal: float,
    size: tuple[int, int],
) -> np.ndarray:
    """Map pixels to the image of a camera that stays as it is in the first frame.

    Pixels (T, K, 2) are those of an ideal lens, NaN where missing; the path has
    rotation vectors and zooms by frame, (F, 4).
    """
    center = np.array(size) / 2
    own = path[frames].astype(np.float64)
    rays = (pixels - center) / (focal * own[:, 3, None, None])
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    turned = rays @ Rotation.from_rotvec(own[:, :3]).as_matrix().swapaxes(1, 2)
    # directions beyond 84 degrees are not in any image
    flat = turned[..., :2] / np.maximum(turned[..., 2:], 0.1)
    return (focal * flat + center).astype(np.float32)


def stable_keypoints(clip: Clip3D) -> np.ndarray:
    """Return a clip's 2D keypoints (N, K, 2) as a static camera would see them."""
    if clip.camera_path is None:
        return clip.keypoints_2d
    points, size = clip.keypoints_2d, (clip.width, clip.height)
    if clip.intrinsics:
        fx, fy, cx, cy, *distortion = clip.intrinsics
        lens = Lens((fx, fy), (cx, cy), tuple(distortion), size=size)
        points = lens.undistort(points)
    if is_static(clip.camera_path):
        return points
    return stabilize(points, clip.frame, clip.camera_path, clip.focal_length, size)
