"""Measure 2D poses in videos whose middle third is rotated, as of people who tumble.

Prints, for each kind of rotation, the mean error and PCK@0.2 of the torso in the middle
third, and the number of crops per frame of the whole video that the 2D model estimates,
those of the detector's candidates included. Example::

    python -m tools.lab.measure_rotation demo/dance.mp4 --pose2d gtpt-t
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.errors import require_file
from mmhot.io.arrays import load_arrays
from mmhot.profiling import Profile
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.crops import map_points
from mmhot.video.frames import Frame, VideoFile
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.pose_source import open_pose_source

# Ends of the torso's diagonals.
_COCO = get_skeleton('coco-17')
_SHOULDERS = _COCO.indices(('left_shoulder', 'right_shoulder'))
_HIPS = _COCO.indices(('right_hip', 'left_hip'))

ROTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'none': lambda at: 0 * at,
    'by 90 degrees, at a cut': lambda at: np.where((at >= 0) & (at < 1), 90, 0),
    'by 180 degrees, at a cut': lambda at: np.where((at >= 0) & (at < 1), 180, 0),
    'by 180 degrees, gradually': lambda at: np.interp(
        at, (0, 0.2, 0.8, 1), (0, 180, 180, 0)
    ),
    'once around': lambda at: np.interp(at, (0, 1), (0, 360)),
}
"""Angles in degrees, to the left, by the time from 0 to 1 in the middle third."""


class RotatedVideo(VideoFile):
    """A video whose frames are rotated around their centers, on a square canvas.

    Args:
        path (Path): The video.
        rotation (str): Of :data:`ROTATIONS`.
        num_frames (int): Frames that are read.

    Attributes:
        angles (np.ndarray): Of the frames, degrees, (T,).
    """

    def __init__(self, path: Path, rotation: str, num_frames: int) -> None:
        super().__init__(path)
        self.num_frames = num_frames
        first, last = middle_third(num_frames)
        at = (np.arange(num_frames) - first) / (last - first)
        self.angles = ROTATIONS[rotation](at)

    def matrix(self, index: int, size: tuple[int, int]) -> np.ndarray:
        """Return the affine matrix (2, 3) of a frame of a size (w, h)."""
        center = (np.array(size) - 1) / 2
        matrix = cv2.getRotationMatrix2D(center.tolist(), float(self.angles[index]), 1)
        matrix[:, 2] += (max(size) - np.array(size)) / 2
        return matrix

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the start."""
        for frame, _ in zip(super().__iter__(), self.angles, strict=False):
            size = frame.image.shape[1::-1]
            matrix, canvas = self.matrix(frame.index, size), (max(size),) * 2
            border = dict(borderMode=cv2.BORDER_REPLICATE)
            yield replace(
                frame, image=cv2.warpAffine(frame.image, matrix, canvas, **border)
            )


def middle_third(num_frames: int) -> tuple[int, int]:
    """Return the first frame of the middle third, and that after its last."""
    return num_frames // 3, 2 * num_frames // 3


def measure(
    estimator: VideoPoseEstimator, path: Path, rotation: str, frames: int | None = None
) -> dict[str, float]:
    """Measure one rotation of a video with ground truth beside it.

    Args:
        estimator (VideoPoseEstimator): Of COCO's keypoints.
        path (Path): The video; its labels are those of a rendered clip, ``.npz``.
        rotation (str): Of :data:`ROTATIONS`.
        frames (int, optional): Number of frames. By default all.

    Returns:
        dict[str, float]: In the middle third, ``missing`` frames without a person,
        ``pixels``, the mean error of the person nearest to the ground truth, and
        ``PCK@0.2``; and ``crops`` per frame.
    """
    arrays = load_arrays(require_file(path.with_suffix('.npz')))
    if 'keypoints_2d' not in arrays:
        raise ValueError(f'{path.with_suffix(".npz")} has no array keypoints_2d')
    labels = arrays['keypoints_2d'][:frames]
    size = int(arrays['width']), int(arrays['height'])
    video = RotatedVideo(path, rotation, len(labels))
    with Profile() as profile:
        clip = estimator(video)
    errors = np.full((len(labels), labels.shape[1]), np.nan)
    torsos = np.zeros(len(labels))
    for index, (people, own) in enumerate(zip(clip.people, labels, strict=True)):
        truth = map_points(video.matrix(index, size), own)
        shoulders, hips = truth[_SHOULDERS], truth[_HIPS]
        torsos[index] = np.linalg.norm(shoulders - hips, axis=1).max()
        if len(people):
            distances = np.linalg.norm(people.keypoints - truth, axis=-1)
            errors[index] = distances[distances.mean(1).argmin()]
    third = slice(*middle_third(len(labels)))
    missing = np.isnan(errors[third]).all(1)
    with np.errstate(invalid='ignore'):
        close = errors[third] <= 0.2 * torsos[third, None]
    return {
        'missing': int(missing.sum()),
        'pixels': errors[third][~missing].mean() if not missing.all() else np.nan,
        'PCK@0.2': close.mean(),
        'crops': profile.stages()['2D network'].items / len(labels),
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('video', type=Path, help='rendered, with its .npz beside it')
    parser.add_argument('--pose2d', metavar='MODEL', help='as in mmhot infer')
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    return parser.parse_args()


def print_table(args: argparse.Namespace) -> None:
    """Print a line for each rotation."""
    models = open_pose_source(args.pose2d, args.pose2d_weights)
    estimator = VideoPoseEstimator(*models)
    rows = [['rotation', 'missing', 'pixels', 'PCK@0.2', 'crops a frame']]
    for rotation in ROTATIONS:
        row = measure(estimator, args.video, rotation)
        cells = f'{row["missing"]}', f'{row["pixels"]:.1f}', f'{row["PCK@0.2"]:.3f}'
        rows.append([rotation, *cells, f'{row["crops"]:.2f}'])
    print_line(align(rows))


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_rotation.py', lambda: print_table(args))


if __name__ == '__main__':
    sys.exit(main())
