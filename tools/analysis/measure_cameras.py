"""Measure videos of calibrated cameras against the 3D markers of one person.

A folder has the videos, a ``.trc`` whose rows are their frames, and the calibration:
``.qca.txt`` of Qualisys, ``.toml`` of Pose2Sim, or an OpenCV file NAME.yml with ``K``,
``D``, ``R`` and ``T`` for each video NAME. Cameras are in the order of the videos'
names. The 2D model ``true`` projects the markers. Example::

    python -m tools.analysis.measure_cameras FOLDER --pose2d gtpt-t movenet true
"""

import argparse
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from scipy.signal import find_peaks
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.errors import align
from mmhot.evaluation.pose_errors import joint_position_errors, mpjpe, p_mpjpe
from mmhot.frames.decoding import VIDEO_SUFFIXES
from mmhot.frames.files import VideoFile
from mmhot.io.readers.lens import read_lens
from mmhot.io.readers.tables import read_trc
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Lens
from tools.analysis.measure_accuracy import angle
from tools.analysis.motions import rows_of_person

_H36M = get_skeleton('h36m-17')
_PARTS = 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'foot'
_LIMBS = _H36M.indices(
    f'{side}_{part}' for side in ('left', 'right') for part in _PARTS
)
_NAMES = [_H36M.joints[joint] for joint in _LIMBS]
_ANGLES = {'knee': ('hip', 'knee', 'foot'), 'elbow': ('shoulder', 'elbow', 'wrist')}
# Markers whose mean is a joint of the trunk.
_HIPS = _H36M.indices(['left_hip', 'right_hip'])
_TRUNK = {'root': ['LHip', 'RHip'], 'spine': ['LHip', 'RHip', 'Neck', 'Neck']}
_TRUNK |= {'thorax': ['Neck'], 'neck_base': ['Nose'], 'head': ['Head']}
# Degrees by which a peak of bending stands out, and seconds around it.
_PROMINENCE, _AROUND = 20.0, 0.1
# Axes of a .trc, y up, in which z is up.
_Z_UP = [2, 0, 1]


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


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='videos, calibration and .trc')
    parser.add_argument(
        '--pose2d', nargs='+', default=['gtpt-t', 'true'], help='names, files, or true'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the errors of each camera and 2D model, then of each joint."""
    videos = sorted(x for x in args.folder.iterdir() if x.suffix in VIDEO_SUFFIXES)
    cameras = read_cameras(args.folder, videos)
    if not len(videos) == len(cameras) > 0:
        raise ValueError(f'{len(videos)} videos, but {len(cameras)} cameras')
    markers = read_markers(next(args.folder.glob('*.trc')))
    heads = ['2D', 'camera', 'frames', '2D error', 'MPJPE', 'after one rotation', 'PA']
    lines = [heads + [f'{name}, {x}' for name in _ANGLES for x in ('mean', 'peaks')]]
    joints = {}
    for pose2d in args.pose2d:
        rows, errors = [], []
        for video, camera in zip(videos, cameras, strict=True):
            numbers, pixels, aligned = measure(video, camera, markers, pose2d)
            rows.append(numbers)
            errors.append((pixels, aligned))
            lines.append([pose2d, video.stem, *_cells(numbers)])
        lines.append([pose2d, 'mean', *_cells(np.nanmean(rows, axis=0))])
        joints[pose2d] = np.mean(errors, axis=0).T
    print_text(align(lines, left=2))
    rows = [['joint', *(f'{name}, {x}' for name in joints for x in ('px', 'mm'))]]
    for index, name in enumerate(_NAMES):
        cells = np.concatenate([errors[index] for errors in joints.values()])
        rows.append([name.replace('_', ' '), *(f'{cell:.0f}' for cell in cells)])
    print_text('\n' + align(rows, left=1))


def _cells(numbers: np.ndarray) -> list[str]:
    units = ['', ' px', ' mm', ' mm', ' mm', *[' deg'] * 4]
    signs = ['', '', '', '', '', '', '+', '', '+']
    columns = zip(numbers, signs, units, strict=True)
    return [f'{number:{sign}.0f}{unit}' for number, sign, unit in columns]


def measure(
    video: Path, camera: Camera, markers: np.ndarray, pose2d: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lift a video and compare it with the markers (T, 17, 3).

    Returns the numbers of a line of the table, and the errors of the joints in pixels
    and, after one rotation of all frames, in millimeters, (12,) each.
    """
    footage = VideoFile(video)
    height, width = next(iter(footage)).image.shape[:2]
    camera = replace(camera, lens=camera.lens.fitted(width, height))
    pixels, truth = camera.project(markers)
    if pose2d == 'true':
        size = width, height
        clip = Clip2D.from_arrays(pixels, size, footage.fps, skeleton='h36m-17')
        lifted = mmhot.lift(clip, intrinsics=camera.lens)
    else:
        lifted = mmhot.infer(video, pose2d=pose2d, intrinsics=camera.lens)
    lifted = lifted.take(lifted.frame < len(pixels)).first_joints(len(_H36M.joints))
    lifted = lifted.take(rows_of_person(lifted, pixels, _LIMBS))
    poses, truth = (
        x[:, _LIMBS] - x[:, _HIPS].mean(1, keepdims=True)
        for x in (lifted.keypoints_3d, truth[lifted.frame])
    )
    turn, _ = Rotation.align_vectors(truth.reshape(-1, 3), poses.reshape(-1, 3))
    turned = turn.apply(poses.reshape(-1, 3)).reshape(poses.shape)
    errors_2d = np.linalg.norm(lifted.keypoints_2d - pixels[lifted.frame], axis=-1)
    errors_2d = errors_2d[:, _LIMBS].mean(0)
    errors_3d = 1000 * joint_position_errors(turned, truth, None).mean(0)
    numbers = [len(poses), errors_2d.mean(), 1000 * mpjpe(poses, truth, None).mean()]
    numbers += [errors_3d.mean(), 1000 * p_mpjpe(poses, truth).mean()]
    for parts in _ANGLES.values():
        numbers += compare_angles(poses, truth, parts, footage.fps)
    return np.array(numbers), errors_2d, errors_3d


def compare_angles(
    poses: np.ndarray, truth: np.ndarray, parts: tuple[str, ...], fps: float
) -> tuple[float, float]:
    """Return an angle's mean error, and its mean difference at the peaks of bending."""
    errors, peaks, around = [], [], round(_AROUND * fps)
    for side in ('left', 'right'):
        joints = [_NAMES.index(f'{side}_{part}') for part in parts]
        bent, real = (180 - angle(x, *joints) for x in (poses, truth))
        errors.append(np.abs(bent - real))
        for peak in find_peaks(real, prominence=_PROMINENCE)[0]:
            near = bent[max(peak - around, 0) : peak + around + 1]
            peaks.append(near.max() - real[peak])
    return np.concatenate(errors).mean(), np.mean(peaks) if peaks else np.nan


def read_cameras(folder: Path, videos: list[Path]) -> list[Camera]:
    """Read the calibration of a folder; OpenCV's has a file for each video."""
    for path in folder.glob('*.qca.txt'):
        return [_qualisys(x) for x in ElementTree.parse(path).iter('camera')]
    for path in folder.glob('*.toml'):
        cameras = tomllib.loads(path.read_text()).values()
        return [_pose2sim(x) for x in cameras if 'matrix' in x]
    return [_opencv(video.with_suffix('.yml')) for video in videos]


def _qualisys(camera: ElementTree.Element) -> Camera:
    """Camera whose y axis points up and z axis backwards, in 1/64 pixels and mm."""
    size, place, lens = (
        {name: float(text) for name, text in found.attrib.items()}
        for name in ('fov_video', 'transform', 'intrinsic')
        if (found := camera.find(name)) is not None
    )
    turn = np.array([[place[f'r{i}{j}'] for j in (1, 2, 3)] for i in (1, 2, 3)])
    rotation = np.diag([1, -1, -1]) @ turn
    focal = lens['focalLengthU'] / 64, lens['focalLengthV'] / 64
    center = lens['centerPointU'] / 64, lens['centerPointV'] / 64
    names = [f'radialDistortion{n}' for n in (1, 2)]
    names += [f'tangentalDistortion{n}' for n in (1, 2)]
    pixels = round(size['right']) + 1, round(size['bottom']) + 1
    place_of_camera = np.array([place[axis] for axis in 'xyz']) / 1000
    read = Lens(focal, center, tuple(lens[name] for name in names), pixels)
    return Camera(read, rotation, -rotation @ place_of_camera)


def _pose2sim(camera: dict) -> Camera:
    (fx, _, cx), (_, fy, cy), _ = camera['matrix']
    width, height = map(round, camera['size'])
    lens = Lens((fx, fy), (cx, cy), tuple(camera['distortions']), (width, height))
    rotation = Rotation.from_rotvec(camera['rotation']).as_matrix()
    return Camera(lens, rotation, np.array(camera['translation']))


def _opencv(path: Path) -> Camera:
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    rotation, translation = file.getNode('R').mat(), file.getNode('T').mat()
    return Camera(read_lens(path), rotation, translation.ravel())


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
    run_tool(parse_args, main)
