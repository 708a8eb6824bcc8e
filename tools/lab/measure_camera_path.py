"""Measure rotation, zoom and root paths of rendered clips with a turning camera.

Turns the images of rendered clips by known pans, tilts, rolls and zooms that follow the
person, runs the chain on them, and compares with the ground truth. Example::

    python -m tools.lab.measure_camera_path demo/walk.mp4 demo/dance.mp4
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
from mmhot.apis.options import InferOptions
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.motion.foot_lock import lock_feet
from mmhot.structures.lens import Lens
from mmhot.video.inputs import open_inputs
from tools.lab.measure_lifted import measure
from tools.lab.motions import GroundTruth

_SIZE = 960, 540
RUNS = ('moving', 'known'), ('rotating', 'found'), ('rotating', 'known')
"""Values of ``--camera``, and whether the lens is known."""
_COLUMNS = ('MPJPE', 'root path', 'foot slide', 'true slide')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'clips', nargs='+', type=Path, help='rendered videos, beside their labels'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print a table of the errors of rotation and zoom, and one of poses."""
    heads = 'turn, degrees', 'mean error', 'largest', 'zoom error', 'focal length'
    angles = [['clip', 'lens', *heads]]
    lines = [['clip', '--camera', 'lens', 'lifted', *_COLUMNS]]
    with TemporaryDirectory() as folder:
        for path in args.clips:
            video = Path(folder) / path.name
            truth, rotations, zooms = turn_video(path, video)
            pipeline = open_video_lifter(InferOptions())
            pipeline.pose_estimator = open_pose_estimator(InferOptions())
            for camera, lens in RUNS:
                pipeline.camera = camera
                pipeline.intrinsics = truth.lens if lens == 'known' else None
                [source] = open_inputs([str(video)])
                lifted, _ = pipeline(source)
                if lifted is None:
                    raise ValueError(f'{path}: no person was found')
                if lifted.camera_path is not None:
                    *numbers, zoom = compare(lifted.camera_path, rotations, zooms)
                    cells = [f'{number:.3f}' for number in numbers]
                    focal = f'{lifted.focal_length / truth.lens.focal[0]:.3f}'
                    angles.append([path.stem, lens, *cells, f'{zoom:.2%}', focal])
                variants = {'whole clip': lifted}
                if camera == 'rotating':
                    variants['feet locked'] = lock_feet(lifted)
                for name, clip in variants.items():
                    row = measure(clip, truth)
                    cells = [f'{row[key]:.1f}' for key in _COLUMNS]
                    lines.append([path.stem, camera, lens, name, *cells])
    print_line(align(angles, left=2) + '\n')
    print_line(align(lines, left=4))


def compare(
    found: np.ndarray, rotations: Rotation, zooms: np.ndarray
) -> tuple[float, float, float, float]:
    """Compare a path of a camera with the ground truth.

    Args:
        found (np.ndarray): Rotation vectors and zooms, (F, 4).
        rotations (Rotation): Ground truth, (F,).
        zooms (np.ndarray): Ground truth, (F,).

    Returns:
        tuple[float, float, float, float]: Largest turn, mean and largest error of the
        rotation, all in degrees, and largest relative error of the zoom.
    """
    errors = rotations.inv() * Rotation.from_rotvec(found[:, :3])
    errors = np.degrees(errors.magnitude())
    turn = np.degrees(rotations.magnitude()).max()
    return turn, errors.mean(), errors.max(), abs(found[:, 3] / zooms - 1).max()


def turn_video(path: Path, target: Path) -> tuple[GroundTruth, Rotation, np.ndarray]:
    """Write a video as a turning and zooming camera in the same place records it.

    Returns:
        tuple[GroundTruth, Rotation, np.ndarray]: Labels in the axes of the first frame,
        and rotations and zooms (F,) relative to it.
    """
    truth = GroundTruth.read(path.with_suffix('.npz'))
    root, focal = truth.root, truth.lens.focal[0]
    times = np.arange(len(root))
    pan = gaussian_filter1d(np.degrees(np.arctan2(root[:, 0], root[:, 2])), 8)
    angles = [0.8 * pan, np.sin(times / 20), 0.7 * np.sin(times / 15)]
    turns = Rotation.from_euler('YXZ', np.stack(angles, -1), degrees=True)
    # an enlarged part of the image
    zooms = 1.25 + 0.35 * (np.ptp(pan) > 5) + 0.25 * np.sin(times / 30)
    lens = np.array([[focal, 0, truth.lens.center[0]], [0, focal, 0], [0, 0, 1]])
    lens[1, 2] = truth.lens.center[1]
    width, height = _SIZE
    pixels = np.empty_like(truth.pixels)
    scale = focal * width / truth.lens.size[0]
    [source] = open_inputs([str(path)])
    with av.open(target, 'w') as video:
        stream = video.add_stream('libx264', rate=round(source.fps))
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.options = {'crf': '18'}
        for frame in source:
            index = frame.index
            own = np.diag([scale * zooms[index]] * 2 + [1.0])
            own[:2, 2] = width / 2, height / 2
            moved = own @ turns[index].as_matrix().T @ np.linalg.inv(lens)
            image = cv2.warpPerspective(frame.image, moved, _SIZE)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
            points = np.insert(truth.pixels[index], 2, 1, axis=1) @ moved.T
            pixels[index] = points[:, :2] / points[:, 2:]
        video.mux(stream.encode())
    first = turns[0].as_matrix()
    focal = scale * zooms[0]
    labels = GroundTruth(
        pixels,
        truth.poses @ first,
        Lens.pinhole(focal, width, height),
        root @ first,
        truth.contacts,
    )
    return labels, turns[0].inv() * turns, zooms / zooms[0]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_camera_path.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
