"""Measure identity errors of the tracker on crossing people from motion capture.

Prints, for scenes of people who cross, pass behind a wall, or form a crowd, the number
of tracks, identity switches, tracks with several people, and interruptions. Example::

    python -m tools.lab.measure_tracking --scenes 12
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from mmengine.fileio import dump
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file
from mmhot.io.atomic import replacing
from mmhot.video.people import People
from mmhot.video.tracking import Tracker, track_clip
from tools.lab.crossings import make_crossing

SCENES = {
    'crossing': dict(num_people=5),
    'behind a wall': dict(num_people=3, wall=160.0),
    'crowd': dict(num_people=12, spread=2.0),
}
# Shorter walks do not cross others: frames at 50 fps, meters.
_MIN_FRAMES, _MIN_DISTANCE = 200, 2.0


@dataclass(frozen=True)
class IdentityErrors:
    """Counts of identity errors; those of several clips can be added.

    Attributes:
        people (int): People in the ground truth.
        tracks (int): Predicted tracks.
        switches (int): Changes of a person's track, between consecutive detections of
            the person in any track.
        mixed (int): Changes of a track's person.
        fragments (int): Interruptions of a person's detections in tracks.
        missed (int): Detections of people outside of all tracks.
        found (int): Detections of people.
        assigned (int): Detections in tracks.
        identified (int): Detections in the track that is matched to their person, with
            the one-to-one matching that maximizes this number.
        associated (float): Sum over detections of people in tracks of the share that
            the person and the track have in common of all detections of either.
    """

    people: int = 0
    tracks: int = 0
    switches: int = 0
    mixed: int = 0
    fragments: int = 0
    missed: int = 0
    found: int = 0
    assigned: int = 0
    identified: int = 0
    associated: float = 0.0

    def __add__(self, other: 'IdentityErrors') -> 'IdentityErrors':
        """Add the counts of other clips."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return IdentityErrors(*(own + more for own, more in pairs))

    @property
    def idf1(self) -> float:
        """`IDF1 <https://arxiv.org/abs/1609.01775>`_, from 0 to 1."""
        return 2 * self.identified / max(self.found + self.assigned, 1)

    @property
    def hota(self) -> float:
        """`HOTA <https://arxiv.org/abs/2009.07736>`_, from 0 to 1.

        Boxes are those of the detections, so that all localization thresholds agree,
        and DetA times AssA is the sum of the associations over the detections of
        people, those missed and the false positives.
        """
        # false positives in tracks: assigned, but not found
        correct = self.found - self.missed
        either = self.found + self.assigned - correct
        return (self.associated / max(either, 1)) ** 0.5


def count_identity_errors(
    owners: Sequence[np.ndarray], ids: Sequence[np.ndarray]
) -> IdentityErrors:
    """Compare a clip's tracks with the identities of its detections.

    Args:
        owners (Sequence[np.ndarray]): For each frame the person of each detection, from
            0; -1 for false positives. (P,) int.
        ids (Sequence[np.ndarray]): Track ID of each detection, -1 for none. (P,) int.
    """
    owner, track = np.concatenate(owners), np.concatenate(ids)
    real, kept = owner >= 0, track >= 0
    people, found = np.unique(owner[real], return_counts=True)
    tracks, lengths = np.unique(track[kept], return_counts=True)
    shared = np.zeros((len(people), len(tracks)), int)
    both = real & kept
    rows = np.searchsorted(people, owner[both])
    np.add.at(shared, (rows, np.searchsorted(tracks, track[both])), 1)
    of_people = [track[owner == person] for person in people]
    either = found[:, None] + lengths - shared
    return IdentityErrors(
        people=len(people),
        tracks=len(tracks),
        switches=sum(_count_changes(x[x >= 0]) for x in of_people),
        mixed=sum(_count_changes(owner[(track == x) & real]) for x in tracks),
        fragments=sum(_count_gaps(x >= 0) for x in of_people),
        missed=int((real & ~kept).sum()),
        found=int(real.sum()),
        assigned=int(kept.sum()),
        identified=int(shared[linear_sum_assignment(-shared)].sum()),
        associated=float((shared**2 / either).sum()),
    )


def _count_changes(values: np.ndarray) -> int:
    return int((np.diff(values) != 0).sum())


def _count_gaps(present: np.ndarray) -> int:
    """Runs of False between True."""
    return int((np.diff(np.flatnonzero(present)) > 1).sum())


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--scenes', type=int, default=12, help='of each kind')
    parser.add_argument('--seed', type=int, default=1000, help='of the first scene')
    parser.add_argument(
        '--fps', type=float, nargs='+', default=[25.0, 10.0], help='frames per second'
    )
    parser.add_argument('--out', type=output_file, help='also write the table as JSON')
    return parser.parse_args()


def read_walks(folder: Path) -> list[np.ndarray]:
    """Read the motions that cover a distance."""
    with np.load(folder / 'cmu_h36m17.npz') as clips:
        motions = [clips[key] for key in clips.files]
    walks = [
        motion
        for motion in motions
        if len(motion) >= _MIN_FRAMES
        and np.linalg.norm(motion[-1, 0, :2] - motion[0, 0, :2]) > _MIN_DISTANCE
    ]
    if not walks:
        raise ValueError(f'--data-root: {folder} has no walk of {_MIN_DISTANCE:g} m')
    return walks


def track_stream(people: list[People], fps: float) -> list[np.ndarray]:
    """Track IDs of a stream, frame by frame."""
    tracker = Tracker(fps)
    return [tracker.update(of_frame, index) for index, of_frame in enumerate(people)]


def track_file(people: list[People], fps: float) -> list[np.ndarray]:
    """Track IDs of a whole clip."""
    ids = [np.full(len(of_frame), -1) for of_frame in people]
    for track in track_clip(people, fps):
        for frame, box in zip(track.frames, track.bboxes, strict=True):
            ids[frame][(people[frame].bboxes == box).all(1)] = track.track
    return ids


TRACKERS: dict[str, Callable] = {'stream': track_stream, 'clip': track_file}


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    for option in ('scenes', 'seed'):
        if getattr(args, option) < 1:
            raise ValueError(
                f'--{option} must be at least 1, got {getattr(args, option)}'
            )
    if min(args.fps) <= 0:
        raise ValueError(f'--fps must be above 0, got {min(args.fps):g}')
    walks = read_walks(args.data_root)
    table = {}
    total = len(SCENES) * len(args.fps) * args.scenes
    with tqdm(total=total, unit='scene', leave=False, disable=None) as bar:
        for kind, settings in SCENES.items():
            for fps in args.fps:
                names = {name: f'{kind}, {fps:g} fps, {name}' for name in TRACKERS}
                table |= dict.fromkeys(names.values(), IdentityErrors())
                for seed in range(args.seed, args.seed + args.scenes):
                    scene = make_crossing(walks, seed, fps=fps, **settings)
                    for name, track in TRACKERS.items():
                        ids = track(scene.people, fps)
                        table[names[name]] += count_identity_errors(scene.owners, ids)
                    bar.update()
    write_table(table, args.out)


def write_table(table: dict[str, IdentityErrors], out: Path | None) -> None:
    """Print errors, one line a scene and tracker, and write them as JSON if wanted."""
    rows = {
        name: {
            'people': errors.people,
            'tracks': errors.tracks,
            'switches': errors.switches,
            'mixed': errors.mixed,
            'fragments': errors.fragments,
            'missed %': round(100 * errors.missed / max(errors.found, 1), 1),
            'IDF1': round(errors.idf1, 3),
            'HOTA': round(errors.hota, 3),
        }
        for name, errors in table.items()
    }
    columns = next(iter(rows.values()))
    cells = [[name, *map(str, row.values())] for name, row in rows.items()]
    print_line(align([['', *columns], *cells]))
    if out:
        with replacing(out) as temporary:
            dump(rows, temporary)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_tracking.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
