"""Errors of a lifter on the same motions in several framings.

Framings are image size, focal length, position of the person and frame rate. The lifter
gets the image size and no other camera parameter.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import (
    floor_offset,
    look_at_camera,
    project,
)
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.geometry.windows import resample

_OFF_CENTER = 1 / 3  # of the image's width
_SMALL = 0.25  # of the image's height
_PERSON = 1.75  # meters, a standing person
_RADIUS = 1.5  # meters around the middle of freely placed people
_NOISE = RandomDetectorNoise(seed=0)
_PHONE_FOCAL = 0.75  # over the longer side of the image


@dataclass(frozen=True)
class Framing:
    """Camera, frame rate and position of the person.

    Attributes:
        camera (Callable): Changes one of Human3.6M's cameras.
        fps (float): Frames per second.
        free (bool): Whether people are anywhere in the capture area and may leave the
            image, instead of in its center.
    """

    camera: Callable[[dict], dict] = dict
    fps: float = 50.0
    free: bool = False


def resize(camera: dict, w: int, h: int, focal: float) -> dict:
    """Change a camera's image size and focal length (pixels)."""
    center = np.array([w / 2, h / 2], np.float32)
    return dict(camera, w=w, h=h, f=np.full(2, focal), c=center)


def aim(camera: dict, offset: float = 0.0) -> dict:
    """Aim a camera at the person, or a share of the image's width beside it."""
    rotation = look_at_camera(camera['T'], np.array([0, 0, 0.95]), 0.0)
    angle = np.arctan(offset * camera['w'] / camera['f'][0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return dict(camera, R=(rotation @ turn).astype(np.float32))


def widescreen(camera: dict) -> dict:
    """Full HD, from a distance at which a person has a quarter of the height."""
    camera = resize(camera, 1920, 1080, _PHONE_FOCAL * 1920)
    distance = camera['f'][0] * _PERSON / (_SMALL * camera['h'])
    ratio = distance / np.linalg.norm(camera['T'][:2])
    position = camera['T'] * np.array([ratio, ratio, 1])
    return aim(dict(camera, T=position.astype(np.float32)))


def zoom(factor: float) -> Callable[[dict], dict]:
    """Multiply the focal length."""
    return lambda camera: dict(camera, f=camera['f'] * factor)


FRAMINGS = {
    'centered': Framing(),
    'walking freely': Framing(free=True),
    '16:9, 25 % of the height': Framing(widescreen),
    'portrait': Framing(lambda c: resize(c, 1080, 1920, _PHONE_FOCAL * 1920)),
    'off-center by a third': Framing(lambda camera: aim(camera, _OFF_CENTER)),
    'focal length x 0.6': Framing(zoom(0.6)),
    'focal length x 2': Framing(zoom(2.0)),
    'half the frames per second': Framing(fps=25.0),
}


def measure_framing(
    predict: Callable[[np.ndarray, dict], np.ndarray],
    dataset: MocapDataset,
    framing: Framing,
) -> dict[str, float]:
    """Return the number of windows, and errors of their middle frames in meters.

    ``predict`` maps pixels (B, T, 17, 2) and a camera of ``w`` and ``h`` to poses in
    camera axes (B, T', 17, 3).
    """
    by_size = defaultdict(list)
    for index in range(len(dataset)):
        for size, *window in project_window(dataset, index, framing):
            by_size[size].append(window)
    errors: dict[str, list] = {'MPJPE': [], 'noisy MPJPE': []}
    for (w, h), windows in by_size.items():
        *seen, target = map(np.stack, zip(*windows, strict=True))
        for own, keypoints in zip(errors.values(), seen, strict=True):
            poses = predict(keypoints, dict(w=w, h=h))
            own += mpjpe(poses[:, poses.shape[1] // 2], target).tolist()
    means = {name: np.mean(own) for name, own in errors.items()}
    return {'windows': len(errors['MPJPE']), **means}


def project_window(dataset: MocapDataset, index: int, framing: Framing) -> Iterator:
    """Yield image size, true and noisy pixels (T, 17, 2), and the middle pose (17, 3).

    Nothing if people leave the image or are nearer than 2 m.
    """
    info = dataset.get_data_info(index)
    camera = framing.camera(info['camera_param'])
    joints = info['joints_world']
    offset = floor_offset(joints)
    if framing.free:
        number = dataset.clip_of_window[index]
        clip = dataset.clips[number].arrays['joints_world']
        offset[:2] = _random_position(number) - clip[:, 0, :2].mean(0)
    pixels, in_camera = project(joints + offset, camera)
    size = (camera['w'], camera['h'])
    inside = ((pixels >= 0) & (pixels <= size)).all(-1).mean()
    if framing.free and (in_camera[..., 2].min() < 2 or inside < 0.95):
        return
    noisy = _NOISE.transform(dict(keypoints=pixels, id=info['id']))['keypoints']
    step = info['fps'] / framing.fps
    seen = (_lower_frame_rate(np.float32(x), step) for x in (pixels, noisy))
    pose = in_camera[len(in_camera) // 2]
    yield size, *seen, pose - pose[:1]


def _lower_frame_rate(frames: np.ndarray, step: float) -> np.ndarray:
    """Interpolate frames (T, ...) from every ``step``-th one and the middle one."""
    if step == 1:
        return frames
    middle = len(frames) // 2
    times = np.arange(middle % step, len(frames), step)
    back = (np.arange(len(frames)) - times[0]) / step
    return resample(resample(frames, times), back)


def _random_position(seed: int) -> np.ndarray:
    """A position on the floor up to 1.5 m from the middle, (2,)."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(-np.pi, np.pi), _RADIUS * np.sqrt(rng.uniform())
    return radius * np.array([np.cos(angle), np.sin(angle)])
