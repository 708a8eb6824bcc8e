"""Virtual cameras: from motion capture to pixels and camera-axes targets."""

import math

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.inferencer_input import adopt_inferencer_input
from mmhot.skeletons.joints import get_skeleton

_MIN_DEPTH = 1.0
_ANKLES = get_skeleton('h36m-17').indices(['right_foot', 'left_foot'])


def place_on_floor(joints: np.ndarray) -> np.ndarray:
    """Offset that stands a window on the floor, its middle root above the origin.

    Args:
        joints (np.ndarray): Metres, z up, (T, 17, 3).

    Returns:
        np.ndarray: What to add to the joints, (3,).
    """
    root = joints[len(joints) // 2, 0]
    # an ankle joint is about 8 cm above the floor
    floor = _low_quantile(joints[:, _ANKLES, 2].ravel()) - 0.08
    return np.array([-root[0], -root[1], -floor], np.float32)


def _low_quantile(values: np.ndarray, share: float = 0.02) -> float:
    """np.quantile of (N,), in a tenth of its time."""
    place = share * (len(values) - 1)
    below = int(place)
    low, high = np.sort(values)[[below, min(below + 1, len(values) - 1)]]
    return low + (high - low) * (place - below)


def to_camera(joints: np.ndarray, camera: dict) -> np.ndarray:
    """Turn joints (..., 3) from the world's axes, z up, to a camera's, meters."""
    # one product of two matrices is faster than one for each leading axis
    turned = (joints - camera['T']).reshape(-1, 3) @ camera['R']
    return turned.reshape(joints.shape)


def project(joints: np.ndarray, camera: dict) -> tuple[np.ndarray, np.ndarray]:
    """See joints with a pinhole camera.

    Args:
        joints (np.ndarray): Metres, z up, (..., 3).
        camera (dict): ``R`` (3, 3) camera-to-world, ``T`` (3,) its place, ``f`` (2,),
            ``c`` (2,), mmpose's convention.

    Returns:
        tuple[np.ndarray, np.ndarray]: Pixels (..., 2), camera-axes meters (..., 3).
    """
    in_camera = to_camera(joints, camera)
    depth = np.maximum(in_camera[..., 2], 1e-3)
    # each coordinate on its own: NumPy is slow at axes of two or three numbers
    pixels = [
        in_camera[..., axis] / depth * camera['f'][axis] + camera['c'][axis]
        for axis in range(2)
    ]
    return np.stack(pixels, -1), in_camera


def look_at_camera(place: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """Camera-to-world rotation of a camera that looks at a point.

    Args:
        place (np.ndarray): The camera's place, meters, z up, (3,).
        target (np.ndarray): What is in the picture's middle, (3,).
        roll (float): Turn about the optical axis, radians.

    Returns:
        np.ndarray: (3, 3); columns are the camera's x right, y down, z away.
    """
    x, y, z = (target - place).tolist()
    level = math.hypot(x, y)
    length = math.hypot(level, z)
    # away x up and away x right, written out
    away = np.array([x, y, z]) / length
    right = np.array([y, -x, 0]) / level
    down = np.array([x * z, y * z, -level * level]) / (level * length)
    cos, sin = math.cos(roll), math.sin(roll)
    axes = [cos * right + sin * down, cos * down - sin * right, away]
    return np.array(axes, np.float32).T


@TRANSFORMS.register_module()
class ProjectToVirtualCamera(BaseTransform):
    """Project a motion capture window with the sample's own camera.

    The window is moved so that its middle root is above the origin and its feet on
    the floor. Required keys: ``joints_world``, ``camera_param``, ``target_frames``;
    ``observed_world`` (what a detector would see), where a transform made it. Added
    keys: ``keypoints`` (T, K, 2), ``keypoints_visible`` (T, K), ``lifting_target``
    (T', K, 3) meters in camera axes, ``target_img_path`` (mmpose's metrics read the
    action from it).

    Samples without ``joints_world``, which MMPose's 3D inferencers make, have
    keypoints already; see :mod:`.inferencer_input` for what is done to them.

    Args:
        known_intrinsics (bool): Whether to leave ``f`` and ``c`` in ``camera_param``
            for the codec. Without, it has the picture size only, as with a video of
            unknown origin.
    """

    def __init__(self, known_intrinsics: bool = True) -> None:
        self.known_intrinsics = known_intrinsics

    def transform(self, results: dict) -> dict:
        """Project; see the class."""
        if 'joints_world' not in results:
            return adopt_inferencer_input(results)
        joints = results['joints_world']
        offset = place_on_floor(joints)
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
        action = results['action'] or results['clip'].split('/')[-1].split('.')[0]
        action = action.replace('_', '-')
        results['target_img_path'] = [f'{results["subject"]}_{action}.jpg']
        return results

    def choose_camera(self, results: dict, joints: np.ndarray) -> dict:
        """The sample's own camera."""
        return results['camera_param']


@TRANSFORMS.register_module()
class ProjectToRandomCamera(ProjectToVirtualCamera):
    """Project a motion capture window with a random camera around the person.

    Keys as :class:`ProjectToVirtualCamera`, but no ``camera_param`` is needed.

    Args:
        radius (tuple[float, float]): Distance on the floor, meters, log-uniform.
        height (tuple[float, float]): The camera's height, meters, uniform.
        focal (tuple[float, float]): Focal length over picture width, log-uniform.
        image_size (tuple[int, int]): Picture ``(w, h)`` in pixels.
        aim (float): Standard deviation of where the camera points, meters around the
            root of the middle frame: a person need not be in the picture's middle.
        pitch (float): Standard deviation of an additional pitch, degrees.
        roll (float): Standard deviation of the roll, degrees.
        known_intrinsics (bool): As in :class:`ProjectToVirtualCamera`.
    """

    def __init__(
        self,
        radius: tuple[float, float] = (3.7, 6.5),
        height: tuple[float, float] = (1.0, 2.0),
        focal: tuple[float, float] = (1.03, 1.26),
        image_size: tuple[int, int] = (1000, 1000),
        aim: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        known_intrinsics: bool = True,
    ) -> None:
        super().__init__(known_intrinsics)
        for name, pair in dict(radius=radius, height=height, focal=focal).items():
            if len(pair) != 2 or pair[0] > pair[1]:
                raise ValueError(f'{name} must be (low, high), got {pair}')
        self.radius = radius
        self.height = height
        self.focal = focal
        self.image_size = image_size
        self.aim = aim
        self.pitch = np.deg2rad(pitch)
        self.roll = np.deg2rad(roll)

    def choose_camera(self, results: dict, joints: np.ndarray) -> dict:
        """A random camera in front of which all of the window happens."""
        root = joints[len(joints) // 2, 0]
        azimuth = np.random.uniform(-np.pi, np.pi)
        radius = _log_uniform(*self.radius)
        height = np.random.uniform(*self.height)
        direction = np.array([np.cos(azimuth), np.sin(azimuth), 0], np.float32)
        target = root + np.random.normal(0, self.aim + 1e-9, 3)
        target[2] += radius * np.tan(np.random.normal(0, self.pitch + 1e-9))
        roll = np.random.normal(0, self.roll + 1e-9)

        # whoever runs past the camera would be behind it: step back
        towards = (joints.reshape(-1, 3) @ direction).max() - root @ direction
        radius = max(radius, towards + _MIN_DEPTH)
        place = root + radius * direction
        place[2] = height
        w, h = self.image_size
        focal = _log_uniform(*self.focal) * w
        return dict(
            R=look_at_camera(place, target, roll),
            T=place.astype(np.float32),
            f=np.array([focal, focal], np.float32),
            c=np.array([w / 2, h / 2], np.float32),
            w=w,
            h=h,
        )


def _log_uniform(low: float, high: float) -> float:
    return float(np.exp(np.random.uniform(np.log(low), np.log(high))))
