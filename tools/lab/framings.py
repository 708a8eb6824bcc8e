"""The same motions, framed as people film them.

A lifter that is good in the framing it was trained in may fail when the person walks
about the picture, or the lens is another. Here windows of motion capture are seen in
a centered framing and in seven others, and lifted by someone who is told the picture's
size and nothing else about the camera.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import (
    look_at_camera,
    place_on_floor,
    project,
)
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.windows import resample

_OFF_CENTER = 1 / 3  # of the picture's width
_SMALL = 0.25  # of the picture's height
_PERSON = 1.75  # meters, a standing person
_ROOM = 1.5  # meters around the middle in which people act when they walk freely
_NOISE = RandomDetectorNoise(seed=0)
_PHONE_FOCAL = 0.75  # over the longer side of the picture


@dataclass(frozen=True)
class Framing:
    """How a motion is filmed.

    Attributes:
        camera (Callable): Changes one of Human3.6M's cameras.
        fps (float): Frames per second.
        free (bool): Whether people act anywhere in the room and leave the picture,
            rather than in its middle.
    """

    camera: Callable[[dict], dict] = dict
    fps: float = 50.0
    free: bool = False


@dataclass
class Window:
    """A window as a camera sees it.

    Attributes:
        image_size (tuple[int, int]): Picture width and height, pixels.
        keypoints (np.ndarray): True and noisy pixels, (2, T, 17, 2).
        target (np.ndarray): The middle frame's pose around its root, meters in camera
            axes, (17, 3).
    """

    image_size: tuple[int, int]
    keypoints: np.ndarray
    target: np.ndarray


def resized(camera: dict, w: int, h: int, focal: float) -> dict:
    """The camera with another picture size and focal length (pixels)."""
    return dict(
        camera, w=w, h=h, f=np.full(2, focal), c=np.array([w / 2, h / 2], np.float32)
    )


def aimed(camera: dict, sideways: float = 0.0) -> dict:
    """Point the camera at the person, or a part of the picture's width beside it."""
    rotation = look_at_camera(camera['T'], np.array([0, 0, 0.95]), 0.0)
    angle = np.arctan(sideways * camera['w'] / camera['f'][0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return dict(camera, R=(rotation @ turn).astype(np.float32))


def widescreen(camera: dict) -> dict:
    """Full HD from so far that a standing person has a quarter of the height."""
    camera = resized(camera, 1920, 1080, _PHONE_FOCAL * 1920)
    distance = camera['f'][0] * _PERSON / (_SMALL * camera['h'])
    here = np.linalg.norm(camera['T'][:2])
    place = camera['T'] * np.array([distance / here, distance / here, 1])
    return aimed(dict(camera, T=place.astype(np.float32)))


def zoomed(factor: float) -> Callable[[dict], dict]:
    """Change of a camera: the focal length times a factor."""
    return lambda camera: dict(camera, f=camera['f'] * factor)


FRAMINGS = {
    'centered': Framing(),
    'walking freely': Framing(free=True),
    '16:9, 25 % of the height': Framing(widescreen),
    'portrait': Framing(lambda c: resized(c, 1080, 1920, _PHONE_FOCAL * 1920)),
    'off-center by a third': Framing(lambda camera: aimed(camera, _OFF_CENTER)),
    'focal length x 0.6': Framing(zoomed(0.6)),
    'focal length x 2': Framing(zoomed(2.0)),
    'half the frames per second': Framing(fps=25.0),
}


def measure_framing(
    predict: Callable[[np.ndarray, dict], np.ndarray],
    dataset: MocapDataset,
    framing: Framing,
    batch_size: int = 256,
    progress: Callable[[int], None] = lambda windows: None,
) -> dict[str, float]:
    """Errors of all windows in one framing.

    Args:
        predict (Callable): Maps pixels (B, T, 17, 2) and a camera of ``w`` and ``h`` to
            poses in camera axes (B, T', 17, 3), as :meth:`mmhot.Lifter.predict`.
        dataset (MocapDataset): Windows with cameras, without a pipeline.
        framing (Framing): How they are filmed.
        batch_size (int): Windows at once.
        progress (Callable): Told after each window, with the number 1.

    Returns:
        dict[str, float]: ``windows`` and, in millimeters, ``MPJPE``, ``P-MPJPE``,
        ``noisy MPJPE`` and ``noisy P-MPJPE`` of the middle frames.
    """
    sums, count = np.zeros(4), 0
    for batch in _batches(dataset, framing, batch_size, progress):
        w, h = batch[0].image_size
        target = np.stack([window.target for window in batch])
        for column in range(2):
            seen = np.stack([window.keypoints[column] for window in batch])
            pred = predict(seen, dict(w=w, h=h))
            pred = pred[:, pred.shape[1] // 2]
            sums[2 * column] += mpjpe(pred, target).sum()
            sums[2 * column + 1] += p_mpjpe(pred, target).sum()
        count += len(batch)
    if not count:
        raise ValueError('no window of these motions is in the picture')
    names = ('MPJPE', 'P-MPJPE', 'noisy MPJPE', 'noisy P-MPJPE')
    means = (1000 * sums / count).round(2).tolist()
    return {'windows': count} | dict(zip(names, means, strict=True))


def see(dataset: MocapDataset, index: int, framing: Framing) -> Window | None:
    """One window; None where people left the picture or came nearer than 2 m."""
    info = dataset.get_data_info(index)
    camera = framing.camera(info['camera_param'])
    joints = info['joints_world']
    offset = place_on_floor(joints)
    if framing.free:
        number = dataset.clip_of_window[index]
        whole = dataset.clips[number].arrays['joints_world']
        offset[:2] = _somewhere(number) - whole[:, 0, :2].mean(0)
    pixels, in_camera = project(joints + offset, camera)
    size = (camera['w'], camera['h'])
    inside = ((pixels >= 0) & (pixels <= size)).all(-1).mean()
    if framing.free and (in_camera[..., 2].min() < 2 or inside < 0.95):
        return None
    noisy = _NOISE.transform(dict(keypoints=pixels, id=info['id']))['keypoints']
    seen = np.stack([pixels, noisy], 1).astype(np.float32)
    seen = _filmed(seen, info['fps'] / framing.fps)
    pose = in_camera[len(in_camera) // 2]
    return Window(size, np.moveaxis(seen, 1, 0), pose - pose[:1])


def _filmed(frames: np.ndarray, step: float) -> np.ndarray:
    """Frames (T, ...), as if only the middle one and every ``step``-th was filmed."""
    if step == 1:
        return frames
    middle = len(frames) // 2
    times = np.arange(middle % step, len(frames), step)
    back = (np.arange(len(frames)) - times[0]) / step
    return resample(resample(frames, times), back)


def _batches(
    dataset: MocapDataset, framing: Framing, batch_size: int, progress: Callable
) -> Iterator[list[Window]]:
    """Windows of equal picture size."""
    waiting: dict[tuple, list[Window]] = {}
    for index in range(len(dataset)):
        window = see(dataset, index, framing)
        progress(1)
        if window is None:
            continue
        batch = waiting.setdefault(window.image_size, [])
        batch.append(window)
        if len(batch) == batch_size:
            yield waiting.pop(window.image_size)
    yield from waiting.values()


def _somewhere(number: int) -> np.ndarray:
    """A place on the floor for clip ``number``, up to 1.5 m from the middle, (2,)."""
    rng = np.random.default_rng(number)
    angle, radius = rng.uniform(-np.pi, np.pi), _ROOM * np.sqrt(rng.uniform())
    return radius * np.array([np.cos(angle), np.sin(angle)])
