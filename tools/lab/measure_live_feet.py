"""Measure streams with and without foot lock, and whole clips.

2D keypoints of rendered clips, and of motion capture before virtual cameras, get the
noise of a detector. Example::

    python -m tools.lab.measure_live_feet demo/walk.npz demo/dance.npz --motions 24
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.evaluation.motion_quality import jitter
from mmhot.io.arrays import load_arrays
from mmhot.motion.foot_lock import lock_feet
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D, Track2D
from mmhot.structures.lens import Lens
from mmhot.video.frames import Frame
from mmhot.video.live import LiveLifter, LivePoses
from mmhot.video.people import People
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.evaluate_chain import merge_rows
from tools.lab.measure_lifted import cells_of, measure
from tools.lab.motions import GroundTruth, project_motion, select_motions

_BODY = get_skeleton('h36m-17')
_FPS = 25.0  # of the motion capture
UNITS = {
    'foot slide': 'cm/s',
    'true slide': 'cm/s',
    'root path': 'cm',
    'MPJPE': 'mm',
    'jitter': 'm/s^2',
}
"""Units of the columns."""


class _KnownPose:
    """Pose estimator that returns the keypoints of a clip of one person."""

    detector = SimpleNamespace(name='ground truth')

    def __init__(self, clip: Clip2D) -> None:
        (self.track,) = clip.tracks
        self.estimator = SimpleNamespace(skeleton=clip.skeleton, name='known')

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
    parser.add_argument('clips', nargs='*', type=Path, help='ground truth, .npz')
    parser.add_argument('--lookahead', type=int, help='frames (default: 4)')
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument(
        '--motions', type=int, default=0, help='of motion capture (default: none)'
    )
    parser.add_argument(
        '--subjects', nargs='+', default=['S02', 'S85'], help='(default: S02 S85)'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    groups = {path.stem: [read_rendered(path)] for path in args.clips}
    if args.motions:
        motions = select_motions(args.data_root, args.motions, args.subjects, _FPS)
        groups[f'{args.motions} motions'] = [
            _project(*motion, seed) for seed, motion in enumerate(motions)
        ]
    print_line(align(tabulate(groups, args.lookahead), left=2))


def tabulate(
    groups: dict[str, list[tuple[Clip2D, GroundTruth]]], lookahead: int | None = None
) -> list[list[str]]:
    """Lift clips as streams, without and with foot lock, and as a whole.

    Args:
        groups (dict[str, list[tuple[Clip2D, GroundTruth]]]): Clips of one person, with
            known lenses.
        lookahead (int, optional): Frames. By default as in :class:`LiveLifter`.

    Returns:
        list[list[str]]: Cells of a header, and of a line for each group and way of
        lifting: means over clips, weighted by their frames.
    """
    lifter = mmhot.Lifter(LIVE_LIFTER)
    ways = {
        'stream, no lock': lambda *clip: lift_live(*clip, lifter, False, lookahead),
        'stream': lambda *clip: lift_live(*clip, lifter, True, lookahead),
        'whole clip': lambda clip, lens: lock_feet(mmhot.lift(clip, intrinsics=lens)),
    }
    rows = [['clip', 'lifted', *UNITS]]
    for group, clips in groups.items():
        for way, lift in ways.items():
            table = []
            for clip, truth in clips:
                lifted = lift(clip, truth.lens)
                shake = jitter(lifted.places(), lifted.frame, lifted.fps)
                row = {'frames': len(lifted), 'jitter': shake}
                table.append(measure(lifted, truth) | row)
            rows.append([group, way, *cells_of(merge_rows(table), UNITS)])
    return rows


def read_rendered(path: Path) -> tuple[Clip2D, GroundTruth]:
    """Read a rendered clip: its keypoints with the noise of a detector, and labels."""
    arrays = load_arrays(path, ['keypoints_2d', 'width', 'height', 'fps'])
    noisy = RandomDetectorNoise(seed=0).transform(
        dict(keypoints=arrays['keypoints_2d'].astype(np.float32), id=0)
    )
    points = noisy['keypoints'].astype(np.float32)
    scores = noisy['keypoints_visible'].astype(np.float32)
    size = int(arrays['width']), int(arrays['height'])
    track = Track2D(0, np.arange(len(points)), points, scores)
    clip = Clip2D(path.stem, 'coco-17', [track], *size, float(arrays['fps']))
    return clip, GroundTruth.read(path)


def _project(joints: np.ndarray, camera: dict, seed: int) -> tuple[Clip2D, GroundTruth]:
    """Project a motion by a virtual camera whose lens is known."""
    clip, truth = project_motion(joints, camera, seed, _FPS)
    focal, center = (tuple(np.ravel(camera[x]).tolist()) for x in 'fc')
    return clip, replace(
        truth, lens=Lens(focal, center, size=(clip.width, clip.height))
    )


def lift_live(
    clip: Clip2D,
    lens: Lens | None,
    lifter: mmhot.Lifter,
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
