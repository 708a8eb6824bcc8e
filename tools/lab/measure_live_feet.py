"""Measure streams with and without foot lock, and whole clips, on rendered clips.

The ground truth's 2D keypoints get the noise of a detector. Example::

    python -m tools.lab.measure_live_feet demo/walk.npz demo/dance.npz
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.clips import Clip2D, Clip3D, Track2D
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.evaluation.motion_quality import jitter
from mmhot.io.arrays import load_arrays
from mmhot.lens import Lens
from mmhot.lifting.foot_lock import lock_feet
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.frames import Frame
from mmhot.video.live import LiveLifter, LivePoses
from mmhot.video.people import People
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.measure_lifted import measure
from tools.lab.motions import GroundTruth

_BODY = get_skeleton('h36m-17')


class _KnownPose:
    """Pose estimator that returns the keypoints of a clip of one person."""

    estimator = SimpleNamespace(skeleton='coco-17', name='ground truth with noise')
    detector = SimpleNamespace(name='ground truth')

    def __init__(self, clip: Clip2D) -> None:
        (self.track,) = clip.tracks

    def detection_interval(self) -> int:
        return 1

    def estimate_frame(self, frame: Frame, previous: People, interval: int) -> People:
        keypoints = self.track.keypoints[frame.index, None]
        boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], -1)
        scores = self.track.scores[frame.index, None]
        return People(boxes, np.ones(1), keypoints, scores)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='+', type=Path, help='ground truth, .npz')
    parser.add_argument('--lookahead', type=int, help='frames (default: 4)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    print_line(align(tabulate(args.clips, args.lookahead), left=2))


def tabulate(paths: Sequence[Path], lookahead: int | None = None) -> list[list[str]]:
    """Lift clips as streams, without and with foot lock, and as a whole.

    Args:
        paths (Sequence[Path]): Ground truth of rendered clips.
        lookahead (int, optional): Frames. By default as in :class:`LiveLifter`.

    Returns:
        list[list[str]]: Cells of a header, and of a line for each result.
    """
    lifter = mmhot.Lifter(LIVE_LIFTER)
    names = {'foot slide': 'cm/s', 'true slide': 'cm/s', 'root path': 'cm'}
    units = {**names, 'MPJPE': 'mm', 'jitter': 'm/s^2'}
    rows = [['clip', 'lifted', *units]]
    for path in paths:
        clip, truth = add_noise(path), GroundTruth.read(path)
        results = {
            name: lift_live(clip, lifter, truth.lens, lock, lookahead)
            for name, lock in {'stream, no lock': False, 'stream': True}.items()
        }
        results['whole clip'] = lock_feet(mmhot.lift(clip, intrinsics=truth.lens))
        for name, lifted in results.items():
            row = measure(lifted, truth)
            row['jitter'] = jitter(lifted.places(), lifted.frame, lifted.fps)
            cells = (f'{row[key]:.1f} {unit}' for key, unit in units.items())
            rows.append([path.stem, name, *cells])
    return rows


def add_noise(path: Path) -> Clip2D:
    """Read the keypoints of a rendered clip, with the noise of a detector."""
    arrays = load_arrays(path, ['keypoints_2d', 'width', 'height', 'fps'])
    noisy = RandomDetectorNoise(seed=0).transform(
        dict(keypoints=arrays['keypoints_2d'].astype(np.float32), id=0)
    )
    points = noisy['keypoints'].astype(np.float32)
    scores = noisy['keypoints_visible'].astype(np.float32)
    size = int(arrays['width']), int(arrays['height'])
    track = Track2D(0, np.arange(len(points)), points, scores)
    return Clip2D(path.stem, 'coco-17', [track], *size, float(arrays['fps']))


def lift_live(
    clip: Clip2D,
    lifter: mmhot.Lifter,
    lens: Lens | None,
    lock: bool,
    lookahead: int | None,
) -> Clip3D:
    """Lift a clip of one person as a stream."""
    live = LiveLifter(
        _KnownPose(clip), lifter, clip.fps, lookahead, intrinsics=lens, foot_lock=lock
    )
    image = np.zeros((clip.height, clip.width, 3), np.uint8)
    poses: list[LivePoses] = []
    for index in clip.tracks[0].frames.tolist():
        poses += live.update(Frame(index, index / clip.fps, image))
    found = [each for each in poses + live.flush() if each.people]
    people = [each.people[0] for each in found]
    return Clip3D(
        name=clip.name,
        frame=np.array([each.frame.index for each in found]),
        track=np.zeros(len(found), np.int64),
        keypoints_3d=np.stack([person.keypoints_3d for person in people]),
        keypoint_scores_3d=np.stack([person.scores for person in people]),
        keypoints_2d=np.stack([person.keypoints_2d for person in people]),
        scores=np.stack([person.scores for person in people]),
        width=clip.width,
        height=clip.height,
        fps=clip.fps,
        joint_names=_BODY.joints,
        parents=_BODY.parents,
        root_3d=np.stack([person.root_3d for person in people]),
    )


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_live_feet.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
