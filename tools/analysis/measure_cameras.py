"""Measure videos of calibrated cameras against the 3D markers of people.

A folder has the videos, a ``.trc`` for each person whose rows are their frames, and the
calibration, ``.qca.txt`` of Qualisys. Cameras are in the order
of the videos' names, and stand. The 2D model ``true`` projects the markers. In a frame
without the person the pose of the nearest frame counts. Example::

    python -m tools.analysis.measure_cameras FOLDER --pose2d gtpt-t movenet true
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.signal import find_peaks
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.frames.decoding import VIDEO_SUFFIXES
from mmhot.chain.frames.files import VideoFile
from mmhot.cli.errors import print_text, run_tool
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.io.readers.tables import read_trc
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Lens
from tools.analysis.measure_accuracy import angle
from tools.analysis.motions import rows_of_person

_H36M = get_skeleton('h36m-17')
_PARTS = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'foot')
_LIMBS = _H36M.indices(
    f'{side}_{part}' for side in ('left', 'right') for part in _PARTS
)
_NAMES = [_H36M.joints[joint] for joint in _LIMBS]
_ANGLES = {'knee': ('hip', 'knee', 'foot'), 'elbow': ('shoulder', 'elbow', 'wrist')}
_HIPS = [_NAMES.index(f'{side}_hip') for side in ('left', 'right')]
# Joints of the trunk as means of markers.
_TRUNK = {
    'root': ['LHip', 'RHip'],
    'spine': ['LHip', 'RHip', 'Neck', 'Neck'],
    'thorax': ['Neck'],
    'neck_base': ['Nose'],
    'head': ['Head'],
}
_MIN_PROMINENCE = 20.0  # degrees by which a peak of bending stands out
_PEAK_SECONDS = 0.1  # before and after a peak, where the lifted angle may have its own
_Z_UP = [2, 0, 1]  # order of a .trc's axes, y up, in which z is up


@dataclass(frozen=True)
class Camera:
    """Lens, and rotation (3, 3) and translation (3,) in meters from world to camera."""

    lens: Lens
    rotation: np.ndarray
    translation: np.ndarray

    def project(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (T, K, 2) and camera axes (T, K, 3) of world axes (T, K, 3)."""
        seen = places @ self.rotation.T + self.translation
        middle = np.array(self.lens.size) / 2
        ideal = self.lens.focal[0] * seen[..., :2] / seen[..., 2:] + middle
        return self.lens.distort(ideal), seen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('folder', type=Path, help='videos, calibration and .trc')
    parser.add_argument(
        '--pose2d', nargs='+', default=['gtpt-t', 'true'], help='names, files, or true'
    )
    parser.add_argument(
        '--assume-lens', action='store_true', help='lift as if the lens were not known'
    )


def main(args: argparse.Namespace) -> None:
    """Print the errors of each view and of each joint."""
    videos = sorted(x for x in args.folder.iterdir() if x.suffix in VIDEO_SUFFIXES)
    cameras = read_cameras(args.folder)
    if not len(videos) == len(cameras) > 0:
        raise ValueError(f'{len(videos)} videos, but {len(cameras)} cameras')
    files = sorted(args.folder.glob('*.trc'))
    markers = np.stack([read_markers(file) for file in files])
    heads = ['2D', 'person', 'camera', 'missing', '2D error', 'MPJPE']
    heads += ['after one rotation', 'PA']
    lines = [heads + [f'{name}, {x}' for name in _ANGLES for x in ('mean', 'peaks')]]
    joints = {}
    for pose2d in args.pose2d:
        views = [
            lift(video, camera, markers, pose2d, args.assume_lens)
            for video, camera in zip(videos, cameras, strict=True)
        ]
        joints[pose2d] = np.mean([view.joint_errors() for view in views], axis=0)
        for number, file in enumerate(files):
            rows = [view.measure(number) for view in views]
            names = [*(x.stem for x in videos), 'mean']
            for name, row in zip(names, [*rows, np.nanmean(rows, axis=0)], strict=True):
                lines.append([pose2d, file.stem, name, *_cells(row)])
    print_text(align(lines, left=3))
    rows = [['joint', *(f'{name}, mm' for name in joints)]]
    for index, name in enumerate(_NAMES):
        cells = [f'{errors[index]:.0f}' for errors in joints.values()]
        rows.append([name.replace('_', ' '), *cells])
    print_text('\n' + align(rows, left=1))


def _cells(numbers: np.ndarray) -> list[str]:
    """Format the numbers (9,) of :meth:`View.measure`."""
    units = ['', ' px', ' mm', ' mm', ' mm', *[' deg'] * 4]
    signs = ['', '', '', '', '', '', '+', '', '+']
    columns = zip(numbers, signs, units, strict=True)
    return [f'{number:{sign}.0f}{unit}' for number, sign, unit in columns]


@dataclass(frozen=True)
class View:
    """Lifted video and markers of P people in T frames, in camera axes.

    Attributes:
        pixels (np.ndarray): 2D keypoints of the limbs, (P, T, 12, 2).
        places (np.ndarray): Limbs in meters, (P, T, 12, 3).
        true_pixels (np.ndarray): Projected markers, (P, T, 12, 2).
        true_places (np.ndarray): Markers in meters, (P, T, 12, 3).
        missing (list[int]): Frames without each person, in which the pose of the
            nearest frame counts.
        fps (float): Frames per second.
    """

    pixels: np.ndarray
    places: np.ndarray
    true_pixels: np.ndarray
    true_places: np.ndarray
    missing: list[int]
    fps: float

    def turned(self, person: int) -> np.ndarray:
        """Return a person's poses after one rotation of all frames, (T, 12, 3)."""
        poses = around_hips(self.places[person])
        truth = around_hips(self.true_places[person])
        turn, _ = Rotation.align_vectors(truth.reshape(-1, 3), poses.reshape(-1, 3))
        return turn.apply(poses.reshape(-1, 3)).reshape(poses.shape)

    def joint_errors(self) -> np.ndarray:
        """Return the mean errors of the joints in millimeters, (12,)."""
        turned = np.stack([self.turned(person) for person in range(len(self.places))])
        errors = np.linalg.norm(turned - around_hips(self.true_places), axis=-1)
        return 1000 * errors.mean((0, 1))

    def measure(self, person: int) -> np.ndarray:
        """Return the numbers of a line of the table, (9,)."""
        poses = around_hips(self.places[person])
        truth = around_hips(self.true_places[person])
        offsets = self.pixels[person] - self.true_pixels[person]
        numbers = [self.missing[person], np.linalg.norm(offsets, axis=-1).mean()]
        for compared in (poses, self.turned(person)):
            numbers.append(1000 * mpjpe(compared, truth, None).mean())
        numbers.append(1000 * p_mpjpe(poses, truth).mean())
        for parts in _ANGLES.values():
            numbers += compare_angles(poses, truth, parts, self.fps)
        return np.array(numbers)


def around_hips(places: np.ndarray) -> np.ndarray:
    """Return limbs (..., 12, 3) relative to the middle of the hips."""
    return places - places[..., _HIPS, :].mean(-2, keepdims=True)


def lift(
    video: Path,
    camera: Camera,
    markers: np.ndarray,
    pose2d: str,
    assume_lens: bool = False,
) -> View:
    """Lift a video, and find the people with markers (P, T, 17, 3) in it."""
    footage = VideoFile(video)
    height, width = next(iter(footage)).image.shape[:2]
    camera = replace(camera, lens=camera.lens.fitted(width, height))
    pixels, truth = camera.project(markers)
    lens = None if assume_lens else camera.lens
    if pose2d == 'true':
        clip = Clip2D.from_arrays(
            pixels.swapaxes(0, 1), (width, height), footage.fps, skeleton='h36m-17'
        )
        lifted = mmhot.lift(clip, intrinsics=lens, static_camera=True)
    else:
        lifted = mmhot.infer(video, pose2d=pose2d, intrinsics=lens, camera='static')
    lifted = lifted.take(lifted.frame < pixels.shape[1]).first_joints(len(_H36M.joints))
    found = [rows_of_person(lifted, x, _LIMBS) for x in pixels]
    every = np.arange(pixels.shape[1])[:, None]
    rows = np.stack([x[abs(lifted.frame[x] - every).argmin(1)] for x in found])
    seen = lifted.keypoints_2d[rows], lifted.places()[rows], pixels, truth
    missing = [len(every) - len(x) for x in found]
    return View(*(x[:, :, _LIMBS] for x in seen), missing, footage.fps)


def compare_angles(
    poses: np.ndarray, truth: np.ndarray, parts: tuple[str, ...], fps: float
) -> tuple[float, float]:
    """Compare an angle of poses with the ground truth, both (T, 12, 3).

    Returns:
        tuple[float, float]: Mean error, and mean difference at the peaks of bending, in
        degrees.
    """
    errors = []
    peaks = []
    around = round(_PEAK_SECONDS * fps)
    for side in ('left', 'right'):
        joints = [_NAMES.index(f'{side}_{part}') for part in parts]
        bent, real = (180 - angle(x, *joints) for x in (poses, truth))
        errors.append(np.abs(bent - real))
        for peak in find_peaks(real, prominence=_MIN_PROMINENCE)[0]:
            near = bent[max(peak - around, 0) : peak + around + 1]
            peaks.append(near.max() - real[peak])
    return np.concatenate(errors).mean(), np.mean(peaks) if peaks else np.nan


def read_cameras(folder: Path) -> list[Camera]:
    """Read Qualisys' calibration of a folder."""
    (path,) = folder.glob('*.qca.txt')
    return [_qualisys(x) for x in ElementTree.parse(path).iter('camera')]


def _qualisys(camera: ElementTree.Element) -> Camera:
    """Convert a camera in 1/64 pixels and mm, y axis up and z axis backwards."""
    image, place, intrinsic = (
        {key: float(text) for key, text in part.attrib.items()}
        for name in ('fov_video', 'transform', 'intrinsic')
        if (part := camera.find(name)) is not None
    )
    turn = np.array([[place[f'r{i}{j}'] for j in (1, 2, 3)] for i in (1, 2, 3)])
    rotation = np.diag([1, -1, -1]) @ turn
    position = np.array([place[axis] for axis in 'xyz']) / 1000
    distortion = (
        'radialDistortion1',
        'radialDistortion2',
        'tangentalDistortion1',
        'tangentalDistortion2',
    )
    lens = Lens(
        focal=(intrinsic['focalLengthU'] / 64, intrinsic['focalLengthV'] / 64),
        center=(intrinsic['centerPointU'] / 64, intrinsic['centerPointV'] / 64),
        distortion=tuple(intrinsic[name] for name in distortion),
        size=(round(image['right']) + 1, round(image['bottom']) + 1),
    )
    return Camera(lens, rotation, -rotation @ position)


def read_markers(path: Path) -> np.ndarray:
    """Read a ``.trc`` as Human3.6M's joints in meters, z up, (T, 17, 3), or NaN."""
    rows = read_trc(path)
    places = rows.points[..., _Z_UP].swapaxes(0, 1)
    markers = dict(zip(rows.joint_names, places, strict=True))
    unknown = np.full_like(places[0], np.nan)
    joints = []
    for joint in _H36M.joints:
        side, _, part = joint.partition('_')
        limb = side[0].upper() + part.replace('foot', 'ankle').capitalize()
        parts = [markers.get(name, unknown) for name in _TRUNK.get(joint, [limb])]
        joints.append(np.mean(parts, axis=0))
    return np.stack(joints, axis=1)


if __name__ == '__main__':
    run_tool(add_arguments, main)
