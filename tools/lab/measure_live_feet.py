"""Measure the foot lock of streams, clips lifted frame by frame.

2D keypoints of rendered clips, and of motion capture before virtual cameras, get the
noise of a detector. Example::

    python -m tools.lab.measure_live_feet demo/walk.npz demo/dance.npz --motions 24
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.clips import Clip3D
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import floor_offset, project
from mmhot.evaluation.motion_quality import find_contacts, foot_slide, jitter
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.io.arrays import load_arrays
from mmhot.lens import Lens
from mmhot.lifting.contacts import ANKLES
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.frames import Frame
from mmhot.video.live import LiveLifter, LivePoses
from mmhot.video.people import People
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.motions import GroundTruth, open_motions

_BODY = get_skeleton('h36m-17')
# Of the motion capture; longer motions are cut.
_FPS, _MAX_FRAMES = 25.0, 300
UNITS = {
    'foot slide': 'cm/s',
    'true slide': 'cm/s',
    'root path': 'cm',
    'MPJPE': 'mm',
    'jitter': 'm/s^2',
}
"""Units of the columns."""


class _KnownPose:
    """Pose estimator that returns the keypoints of a clip."""

    detector = SimpleNamespace(name='ground truth')

    def __init__(
        self, keypoints: np.ndarray, scores: np.ndarray, skeleton: str
    ) -> None:
        self.keypoints, self.scores = keypoints, scores
        self.estimator = SimpleNamespace(skeleton=skeleton, name='known')

    def detection_interval(self) -> int:
        return 1

    def estimate_frame(self, frame: Frame, previous: People, interval: int) -> People:
        keypoints = self.keypoints[frame.index, None]
        boxes = np.concatenate([keypoints.min(1), keypoints.max(1)], -1)
        return People(boxes, np.ones(1), keypoints, self.scores[frame.index, None])


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
    lifter = mmhot.Lifter(LIVE_LIFTER)
    streams = [[_read_stream(path)] for path in args.clips]
    if args.motions:
        streams.append(_project_streams(args))
    rows = [['clip', 'lock', *UNITS]]
    for group in streams:
        name = group[0].name if len(group) == 1 else f'{len(group)} motions'
        for lock in (False, True):
            known = [
                measure(lift_live(stream, lifter, lock, args.lookahead), stream.truth)
                for stream in group
            ]
            weights = np.array([len(stream.scores) for stream in group])
            means = [
                np.average(column[is_known], weights=weights[is_known])
                for column in np.array(known).T
                if (is_known := np.isfinite(column)).any()
            ]
            cells = zip(means, UNITS.values(), strict=True)
            row = [f'{mean:.1f} {unit}' for mean, unit in cells]
            rows.append([name, 'on' if lock else 'off', *row])
    print_line(align(rows, left=2))


@dataclass
class Stream:
    """Noisy 2D keypoints (T, 17, 2), scores (T, 17) and ground truth of one person."""

    name: str
    skeleton: str
    keypoints: np.ndarray
    scores: np.ndarray
    size: tuple[int, int]
    fps: float
    truth: GroundTruth


def _read_stream(path: Path) -> Stream:
    """Read the ground truth of a rendered clip."""
    arrays = load_arrays(path, ['keypoints_2d', 'width', 'height', 'fps'])
    width, height, fps = (float(arrays[x]) for x in ('width', 'height', 'fps'))
    noisy = _add_noise(arrays['keypoints_2d'], 0)
    size, truth = (int(width), int(height)), GroundTruth.read(path)
    return Stream(path.stem, 'coco-17', *noisy, size, fps, truth)


def _project_streams(args: argparse.Namespace) -> list[Stream]:
    """Project motion capture by virtual cameras."""
    dataset = open_motions(
        args.data_root,
        ['train', 'val', 'unlisted'],
        ann_file=['cmu_h36m17.npz', 'cmu_h36m17_more.npz'],
        subjects=args.subjects,
        fps=_FPS,
    )
    chosen = np.linspace(0, len(dataset.clips) - 1, args.motions).round().astype(int)
    streams = []
    for seed, clip in enumerate(dataset.clips[index] for index in chosen):
        joints = clip.arrays['joints_world'][:_MAX_FRAMES]
        camera = clip.constants['camera_param']
        pixels, places = project(joints + floor_offset(joints), camera)
        size = int(camera['w']), int(camera['h'])
        focal, center = (tuple(np.ravel(camera[x]).tolist()) for x in 'fc')
        root = places[:, 0]
        truth = GroundTruth(
            pixels,
            places - root[:, None],
            Lens(focal, center, size=size),
            root,
            find_contacts(joints[:, ANKLES], _FPS),
        )
        noisy = _add_noise(pixels, seed)
        streams.append(Stream(str(seed), 'h36m-17', *noisy, size, _FPS, truth))
    return streams


def _add_noise(keypoints: np.ndarray, number: int) -> Iterator[np.ndarray]:
    """Return keypoints with the errors of a detector, and scores."""
    clean = dict(keypoints=keypoints.astype(np.float32), id=number)
    noisy = RandomDetectorNoise(seed=0).transform(clean)
    return (noisy[x].astype(np.float32) for x in ('keypoints', 'keypoints_visible'))


def lift_live(
    stream: Stream, lifter: mmhot.Lifter, lock: bool, lookahead: int | None
) -> Clip3D:
    """Lift frame by frame."""
    estimator = _KnownPose(stream.keypoints, stream.scores, stream.skeleton)
    lens, fps, (width, height) = stream.truth.lens, stream.fps, stream.size
    live = LiveLifter(
        estimator, lifter, fps, lookahead, intrinsics=lens, foot_lock=lock
    )
    image = np.zeros((height, width, 3), np.uint8)
    poses: list[LivePoses] = []
    for index in range(len(stream.scores)):
        poses += live.update(Frame(index, index / fps, image))
    found = [each for each in poses + live.flush() if each.people]
    people = [each.people[0] for each in found]
    return Clip3D(
        name=stream.name,
        frame=np.array([each.frame.index for each in found]),
        track=np.zeros(len(found), np.int64),
        keypoints_3d=np.stack([person.keypoints_3d for person in people]),
        keypoint_scores_3d=np.stack([person.scores for person in people]),
        keypoints_2d=np.stack([person.keypoints_2d for person in people]),
        scores=np.stack([person.scores for person in people]),
        width=width,
        height=height,
        fps=fps,
        joint_names=_BODY.joints,
        parents=_BODY.parents,
        root_3d=np.stack([person.root_3d for person in people]),
    )


def measure(clip: Clip3D, truth: GroundTruth) -> list[float]:
    """Compare with the ground truth, in the order and units of :data:`UNITS`."""
    frames = clip.frame
    offset = clip.root_3d - truth.root[frames]
    places = (truth.poses + truth.root[:, None])[frames]
    slides = [
        foot_slide(points[:, ANKLES], truth.contacts[frames], frames, clip.fps)
        for points in (clip.places(), places)
    ]
    error = 100 * np.linalg.norm(offset - offset.mean(0), axis=1).mean()
    pose = 1000 * mpjpe(clip.keypoints_3d, truth.poses[frames]).mean()
    return [*slides, error, pose, jitter(clip.places(), frames, clip.fps)]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_live_feet.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
