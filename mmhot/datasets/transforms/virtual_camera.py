"""Virtual cameras: projection of motion capture to pixels and camera axes."""

import math
from dataclasses import dataclass

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.codecs.pose_lifting import look_at_rotation
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.lens import HUMAN36M_FOCAL_RATIO

# Least distance of a joint in front of a random camera, meters along the floor.
_MIN_DEPTH = 1.0
# Range of the focal length over the image width of random cameras
_FOCAL_RATIOS = (1.03, 1.26)
_H36M_SIZE = 1000  # width and height of Human3.6M's images, pixels
# Box of people in these images by MMPose's `stats_info`, pixels
_H36M_BOX_CENTER = np.array([528.0, 427.0], np.float32)
_H36M_BOX_SIDE = 400.0
# Largest coordinate of keypoints that were normalized to a box of side one. Joints may
# lie outside of a detector's box, and no person in pixels is that small.
_MAX_NORMALIZED = 10.0
_H36M = get_skeleton('h36m-17')
_ANKLES = _H36M.indices(['right_foot', 'left_foot'])
_ANKLE_HEIGHT = 0.08  # height of an ankle joint above the floor, meters
# Share of the lowest heights of a window that may be below the floor.
_FLOOR_QUANTILE = 0.02


def floor_offset(joints: np.ndarray) -> np.ndarray:
    """Compute the offset that moves a window onto the floor, and its root above zero.

    Args:
        joints (np.ndarray): Joints in meters, z up, root first, (T, K, 3). With K = 17
            they are Human3.6M's.

    Returns:
        np.ndarray: Offset, (3,). With it the middle frame's root is at x = y = 0.
    """
    root = joints[len(joints) // 2, 0]
    if joints.shape[1] == len(_H36M.joints):
        floor = np.quantile(joints[:, _ANKLES, 2], _FLOOR_QUANTILE) - _ANKLE_HEIGHT
    else:
        floor = np.quantile(joints[..., 2].min(1), _FLOOR_QUANTILE)
    return np.array([-root[0], -root[1], -floor], np.float32)


def to_camera(joints: np.ndarray, camera: dict) -> np.ndarray:
    """Transform joints (..., 3) in meters from world axes, z up, to a camera's axes.

    The camera has ``T`` (3,), its place in meters, and ``R`` (3, 3) camera-to-world.
    """
    return (joints - camera['T']) @ camera['R']


def project(joints: np.ndarray, camera: dict) -> tuple[np.ndarray, np.ndarray]:
    """Project joints (..., 3) in meters, z up, with a pinhole camera.

    Args:
        joints (np.ndarray): Joints in world axes, (..., 3).
        camera (dict): As in MMPose: ``R`` (3, 3) camera-to-world, its place ``T`` (3,)
            in meters, ``f`` (2,) and ``c`` (2,) in pixels.

    Returns:
        tuple[np.ndarray, np.ndarray]: Pixels, (..., 2), and meters in the camera's
        axes, (..., 3).
    """
    in_camera = to_camera(joints, camera)
    depth = np.maximum(in_camera[..., 2:], 1e-3)
    return in_camera[..., :2] / depth * camera['f'] + camera['c'], in_camera


def look_at_camera(place: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """Compute the camera-to-world rotation (3, 3) of a camera that looks at a point.

    Place and target (3,) are in meters, z up; ``roll`` about the optical axis is in
    radians. Columns are the camera's x right, y down, z away.
    """
    x, y, z = target - place
    # look_at_rotation expects the axes right, down and away, so rows are reordered.
    level = look_at_rotation(np.array([x, -z, y]))[[0, 2, 1]] * [[1], [1], [-1]]
    cos, sin = math.cos(roll), math.sin(roll)
    about_axis = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return (level @ about_axis).astype(np.float32)


@TRANSFORMS.register_module()
@dataclass(eq=False)
class ProjectToVirtualCamera(BaseTransform):
    """Project a motion capture window with the sample's own camera.

    The window is moved so that the root of its middle frame is above the origin and its
    feet are on the floor.

    Required keys: ``joints_world`` (T, K, 3), ``camera_param``, ``target_frames``;
    optional key: ``observed_world`` (T, K, 3), joints by a detector's definition. Added
    keys: ``keypoints`` (T, K, 2), ``keypoints_visible`` (T, K), ``lifting_target``
    (T', K, 3), meters in camera axes; for metrics of feet ``root_world`` (T', 3) and
    ``camera_axes`` (3, 3), the rotation from the camera's axes to the world's.

    Samples of MMPose's 3D inferencers have ``keypoints`` and no ``joints_world``; see
    :func:`denormalize_inferencer_input`.
    """

    # Whether ``f`` and ``c`` stay in ``camera_param`` for the codec; otherwise it has
    # the image size only, as for a video of unknown origin.
    known_intrinsics: bool = True

    def transform(self, results: dict) -> dict:
        """Project; see the class."""
        if 'joints_world' not in results:
            return denormalize_inferencer_input(results)
        joints = results['joints_world']
        offset = floor_offset(joints)
        camera = self.choose_camera(results, joints + offset)

        observed = results.get('observed_world', joints) + offset
        keypoints, _ = project(observed, camera)
        targets = joints[results['target_frames']] + offset
        lifting_target = to_camera(targets, camera)

        names = ('w', 'h', 'f', 'c') if self.known_intrinsics else ('w', 'h')
        results['camera_param'] = {name: camera[name] for name in names}
        results['keypoints'] = keypoints.astype(np.float32)
        results['keypoints_visible'] = np.ones(keypoints.shape[:-1], np.float32)
        results['lifting_target'] = lifting_target.astype(np.float32)
        results['root_world'] = joints[results['target_frames'], 0]
        results['camera_axes'] = camera['R']
        return results

    def choose_camera(self, results: dict, joints: np.ndarray) -> dict:
        """Return the camera of a window: here the sample's own.

        Args:
            results (dict): The sample.
            joints (np.ndarray): Joints on the floor, meters, z up, (T, K, 3).

        Returns:
            dict: As for :func:`project`, with the image size ``w`` and ``h`` in pixels.
        """
        return results['camera_param']


@TRANSFORMS.register_module()
@dataclass(eq=False)
class ProjectToRandomCamera(ProjectToVirtualCamera):
    """Project a motion capture window with a random camera around the person.

    Keys as :class:`ProjectToVirtualCamera`, but no ``camera_param`` is needed.
    """

    # Range of the distance to the person along the floor, meters, drawn log-uniformly
    radius: tuple[float, float] = (3.7, 6.5)
    height: tuple[float, float] = (1.0, 2.0)  # range of heights, meters, uniform
    # Standard deviation of the point that the camera looks at around the root of the
    # middle frame, meters.
    aim: float = 0.0
    roll: float = 0.0  # standard deviation of the camera's roll, degrees

    def choose_camera(self, results: dict, joints: np.ndarray) -> dict:
        """Draw a camera that has all joints (T, K, 3) of a window in front of it."""
        root = joints[len(joints) // 2, 0]
        azimuth = np.random.uniform(-np.pi, np.pi)
        radius = _log_uniform(*self.radius)
        height = np.random.uniform(*self.height)
        direction = np.array([np.cos(azimuth), np.sin(azimuth), 0], np.float32)
        target = root + np.random.normal(0, self.aim + 1e-9, 3)
        roll = np.random.normal(0, np.deg2rad(self.roll) + 1e-9)

        # A person who runs past the camera would be behind it, so it is moved back.
        towards = (joints.reshape(-1, 3) @ direction).max() - root @ direction
        radius = max(radius, towards + _MIN_DEPTH)
        place = root + radius * direction
        place[2] = height
        camera = _square_camera(
            _log_uniform(*_FOCAL_RATIOS), np.full(2, _H36M_SIZE / 2)
        )
        rotation = look_at_camera(place, target, roll)
        return dict(R=rotation, T=place.astype(np.float32), **camera)


def _square_camera(focal_ratio: float, center: np.ndarray) -> dict:
    """Return the intrinsics of images of Human3.6M's size; the center is (2,)."""
    focal = np.full(2, focal_ratio * _H36M_SIZE, np.float32)
    return dict(f=focal, c=center.astype(np.float32), w=_H36M_SIZE, h=_H36M_SIZE)


def _log_uniform(low: float, high: float) -> float:
    """Draw a number from a range, uniformly in its logarithm."""
    return float(np.exp(np.random.uniform(np.log(low), np.log(high))))


def denormalize_inferencer_input(results: dict) -> dict:
    """Undo the normalization of keypoints by MMPose's 3D inferencers.

    By default, an inferencer moves each person into the box of ``stats_info``. This has
    happened if the keypoints fit the unit box of
    :func:`mmhot.datasets.h36m.h36m_metainfo`. Then the person is moved to where people
    stand in Human3.6M's images, and ``keypoints`` (T, K, 2) and ``camera_param`` are
    replaced. The place in the user's image is lost, unless the inferencer has
    ``disable_norm_pose_2d=True``.
    """
    keypoints = results['keypoints'][..., :2]
    scale = results.get('stats_info', {}).get('bbox_scale')
    if scale != 1 or np.abs(keypoints).max() > _MAX_NORMALIZED:
        return results
    keypoints = keypoints * _H36M_BOX_SIDE + _H36M_BOX_CENTER
    results['keypoints'] = keypoints.astype(np.float32)
    results['camera_param'] = _square_camera(HUMAN36M_FOCAL_RATIO, _H36M_BOX_CENTER)
    return results
