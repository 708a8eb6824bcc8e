"""Measure the foot lock of streams on rendered clips, lifted frame by frame.

The ground truth's 2D keypoints get the noise of a detector. Example::

    python -m tools.lab.measure_live_feet demo/walk.npz demo/dance.npz
"""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.clips import Clip3D
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.evaluation.motion_quality import foot_slide, jitter
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.io.arrays import load_arrays
from mmhot.lifting.contacts import ANKLES
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.frames import Frame
from mmhot.video.live import LiveLifter, LivePoses
from mmhot.video.people import People
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.motions import GroundTruth

_BODY = get_skeleton('h36m-17')


class _KnownPose:
    """Pose estimator that returns the keypoints of a clip."""

    estimator = SimpleNamespace(skeleton='coco-17', name='ground truth with noise')
    detector = SimpleNamespace(name='ground truth')

    def __init__(self, keypoints: np.ndarray, scores: np.ndarray) -> None:
        self.keypoints, self.scores = keypoints, scores

    def detection_interval(self) -> int:
        return 1

    def estimate_frame(self, frame: Frame, previous: People, interval: int) -> People:
        keypoints = self.keypoints[frame.index, None]
        boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], -1)
        return People(boxes, np.ones(1), keypoints, self.scores[frame.index, None])


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='+', type=Path, help='ground truth, .npz')
    parser.add_argument('--lookahead', type=int, help='frames (default: 4)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    lifter = mmhot.Lifter(LIVE_LIFTER)
    rows = [
        ['clip', 'lock', 'foot slide', 'true slide', 'root path', 'MPJPE', 'jitter']
    ]
    for path in args.clips:
        for lock in (False, True):
            clip = lift_live(path, lifter, lock, args.lookahead)
            rows.append([path.stem, 'on' if lock else 'off', *_cells(clip, path)])
    print_line(align(rows, left=2))


def lift_live(
    path: Path, lifter: mmhot.Lifter, lock: bool, lookahead: int | None
) -> Clip3D:
    """Lift a clip as a stream."""
    arrays = load_arrays(path, ['keypoints_2d', 'width', 'height', 'fps'])
    width, height, fps = (float(arrays[x]) for x in ('width', 'height', 'fps'))
    noisy = RandomDetectorNoise(seed=0).transform(
        dict(keypoints=arrays['keypoints_2d'].astype(np.float32), id=0)
    )
    scores = noisy['keypoints_visible'].astype(np.float32)
    lens = GroundTruth.read(path).lens
    estimator = _KnownPose(noisy['keypoints'].astype(np.float32), scores)
    live = LiveLifter(
        estimator, lifter, fps, lookahead, intrinsics=lens, foot_lock=lock
    )
    image = np.zeros((int(height), int(width), 3), np.uint8)
    poses: list[LivePoses] = []
    for index in range(len(scores)):
        poses += live.update(Frame(index, index / fps, image))
    found = [each for each in poses + live.flush() if each.people]
    people = [each.people[0] for each in found]
    return Clip3D(
        name=path.stem,
        frame=np.array([each.frame.index for each in found]),
        track=np.zeros(len(found), np.int64),
        keypoints_3d=np.stack([person.keypoints_3d for person in people]),
        keypoint_scores_3d=np.stack([person.scores for person in people]),
        keypoints_2d=np.stack([person.keypoints_2d for person in people]),
        scores=np.stack([person.scores for person in people]),
        width=int(width),
        height=int(height),
        fps=fps,
        joint_names=_BODY.joints,
        parents=_BODY.parents,
        root_3d=np.stack([person.root_3d for person in people]),
    )


def _cells(clip: Clip3D, path: Path) -> list[str]:
    truth, frames = GroundTruth.read(path), clip.frame
    offset = clip.root_3d - truth.root[frames]
    places = (truth.poses + truth.root[:, None])[frames]
    slides = [
        foot_slide(points[:, ANKLES], truth.contacts[frames], frames, clip.fps)
        for points in (clip.places(), places)
    ]
    error = 100 * np.linalg.norm(offset - offset.mean(0), axis=1).mean()
    pose = 1000 * mpjpe(clip.keypoints_3d, truth.poses[frames]).mean()
    shake = jitter(clip.places(), clip.frame, clip.fps)
    slide, true = slides
    return [
        f'{slide:.1f} cm/s',
        f'{true:.1f} cm/s',
        f'{error:.1f} cm',
        f'{pose:.1f} mm',
        f'{shake:.1f} m/s^2',
    ]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_live_feet.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
