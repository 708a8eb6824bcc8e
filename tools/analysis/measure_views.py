"""Measure lifted videos of calibrated cameras against triangulated 2D keypoints.

The same person in synchronized videos: 2D keypoints of all views give positions in
space, with which the poses that each video alone gives are compared. The reference has
the errors of the 2D model, which ``reprojection`` shows, and its joint definitions.
Calibrations are Qualisys's (``.qca.txt``), as those of the videos of Pose2Sim (BSD-3,
``pip download pose2sim``). Example::

    python -m tools.analysis.measure_views Calib.qca.txt cam01.mp4 cam02.mp4 cam03.mp4
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.datasets.transforms.virtual_camera import project
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.structures.clips import Clip3D
from mmhot.structures.lens import Lens

# Qualisys's units: 64 to a pixel, millimeters; its cameras look along -z, y up.
_SUBPIXELS, _MILLIMETERS = 64, 1000
_AXES = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class View:
    """A calibrated camera without distortion.

    Attributes:
        matrix (np.ndarray): Of the lens, pixels, (3, 3).
        rotation (np.ndarray): World axes to camera axes (x right, y down, z away),
            (3, 3).
        position (np.ndarray): In the world, meters, (3,).
    """

    matrix: np.ndarray
    rotation: np.ndarray
    position: np.ndarray

    @property
    def projection(self) -> np.ndarray:
        """Return the projection of homogeneous world coordinates, (3, 4)."""
        offset = -self.rotation @ self.position
        return self.matrix @ np.column_stack([self.rotation, offset])

    @property
    def camera(self) -> dict:
        """Return MMPose's ``camera_param``."""
        focal, center = np.diag(self.matrix)[:2], self.matrix[:2, 2]
        return dict(R=self.rotation.T, T=self.position, f=focal, c=center)

    @property
    def lens(self) -> Lens:
        """Return the lens, of images of any size."""
        (fx, _, cx), (_, fy, cy) = self.matrix[:2].tolist()
        return Lens((fx, fy), (cx, cy))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('calibration', type=Path, help='.qca.txt file')
    parser.add_argument('videos', nargs='+', type=Path, help='in its order')
    parser.add_argument('--pose2d', default='gtpt-t', help='2D model')
    parser.add_argument('--cache', type=Path, help='folder for 2D keypoints')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print one line for each video, and their mean."""
    views = read_calibration(args.calibration)
    if not 2 <= len(args.videos) == len(views):
        raise ValueError(
            f'{args.calibration} has {len(views)} cameras, but {len(args.videos)} '
            'videos are given: wanted two or more, one for each'
        )
    people = []
    for video, view in zip(args.videos, views, strict=True):
        options = dict(pose2d=args.pose2d, intrinsics=view.lens)
        clip = mmhot.infer(video, cache=args.cache, **options)
        people.append(largest_person(clip))
    frames = sorted(set.intersection(*(set(clip.frame.tolist()) for clip in people)))
    people = [clip.take(np.isin(clip.frame, frames)) for clip in people]
    keypoints = np.stack([clip.keypoints_2d for clip in people], 1)
    joints = triangulate(keypoints, views)
    lines = [['video', 'frames', 'reprojection', 'MPJPE', 'P-MPJPE']]
    rows = []
    for number, (clip, view) in enumerate(zip(people, views, strict=True)):
        pixels, places = project(joints, view.camera)
        truth = places - places[:, :1]
        off = np.linalg.norm(pixels - keypoints[:, number], axis=-1).mean()
        errors = mpjpe(clip.keypoints_3d, truth), p_mpjpe(clip.keypoints_3d, truth)
        rows.append([off, *(1000 * error.mean() for error in errors)])
    names = [*(video.stem for video in args.videos), 'mean']
    for name, row in zip(names, [*rows, np.mean(rows, 0)], strict=True):
        units = zip(row, ('px', 'mm', 'mm'), strict=True)
        lines.append(
            [name, len(frames), *(f'{value:.1f} {unit}' for value, unit in units)]
        )
    print_line(align(lines, left=1))


def largest_person(clip: Clip3D) -> Clip3D:
    """Return the rows of the track whose boxes cover the most pixels in all frames."""
    sizes = np.ptp(clip.keypoints_2d, axis=1).prod(-1)
    tracks = np.unique(clip.track)
    totals = [sizes[clip.track == track].sum() for track in tracks]
    return clip.take(clip.track == tracks[np.argmax(totals)])


def read_calibration(path: Path) -> list[View]:
    """Read Qualisys's calibration; distortion is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such calibration.
    """
    views = []
    try:
        for camera in ElementTree.parse(path).getroot().iter('camera'):
            place, lens = (
                camera.find('transform').attrib,
                camera.find('intrinsic').attrib,
            )
            rotation = [
                [float(place[f'r{row}{column}']) for column in (1, 2, 3)]
                for row in (1, 2, 3)
            ]
            matrix = np.eye(3)
            for axis, name in enumerate('UV'):
                matrix[axis, axis] = float(lens[f'focalLength{name}']) / _SUBPIXELS
                matrix[axis, 2] = float(lens[f'centerPoint{name}']) / _SUBPIXELS
            position = np.array([float(place[x]) for x in 'xyz']) / _MILLIMETERS
            views.append(View(matrix, _AXES @ rotation, position))
    except (AttributeError, KeyError, ValueError, ElementTree.ParseError) as error:
        raise ValueError(f'{path} is no calibration of Qualisys ({error})') from error
    return views


def triangulate(keypoints: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """Find the points that project to keypoints (linear least squares).

    Args:
        keypoints (np.ndarray): Pixels in each of ``V`` views, (T, V, K, 2).
        views (list[View]): The cameras.

    Returns:
        np.ndarray: World coordinates, meters, (T, K, 3).
    """
    rows = [
        keypoints[:, number, :, axis, None] * view.projection[2] - view.projection[axis]
        for number, view in enumerate(views)
        for axis in range(2)
    ]
    rows = np.stack(rows, -2)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    points = np.linalg.svd(rows)[2][..., -1, :]
    return points[..., :3] / points[..., 3:]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_views.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
