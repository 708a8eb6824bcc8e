"""How well a tracker keeps people apart, where it is known who is who."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class IdentityErrors:
    """Counts of clips; they add up.

    Args:
        people (int): People there were.
        tracks (int): Tracks there are.
        switches (int): How often a person's track changed, from one of their
            detections in a track to the next.
        mixed (int): How often a track changed from one person to another.
        fragments (int): How often a person was left out for a while.
        missed (int): Detections of people that are in no track.
        found (int): Detections of people.
        assigned (int): Detections in tracks.
        identified (int): Detections in the track that is their person's, where each
            person has one track, chosen for the most of these.
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

    def __add__(self, other: 'IdentityErrors') -> 'IdentityErrors':
        """Add the counts of other clips."""
        sums = zip(astuple(self), astuple(other), strict=True)
        return IdentityErrors(*(own + more for own, more in sums))

    @property
    def idf1(self) -> float:
        """`IDF1 <https://arxiv.org/abs/1609.01775>`_, from 0 to 1."""
        return 2 * self.identified / max(self.found + self.assigned, 1)


def count_identity_errors(
    owners: Sequence[np.ndarray], ids: Sequence[np.ndarray]
) -> IdentityErrors:
    """Compare a clip's tracks with who was really found.

    Args:
        owners (Sequence[np.ndarray]): Of each frame, whose each detection is, from 0;
            -1 for nobody's. (P,) int.
        ids (Sequence[np.ndarray]): The track of each; -1 for none. (P,) int.

    Returns:
        IdentityErrors: Of the clip.
    """
    owner, track = np.concatenate(owners), np.concatenate(ids)
    real, kept = owner >= 0, track >= 0
    people, tracks = np.unique(owner[real]), np.unique(track[kept])
    shared = np.zeros((len(people), len(tracks)), int)
    both = real & kept
    rows = np.searchsorted(people, owner[both])
    np.add.at(shared, (rows, np.searchsorted(tracks, track[both])), 1)
    own = [track[owner == person] for person in people]
    return IdentityErrors(
        people=len(people),
        tracks=len(tracks),
        switches=sum(_changes(x[x >= 0]) for x in own),
        mixed=sum(_changes(owner[(track == x) & real]) for x in tracks),
        fragments=sum(_gaps(x >= 0) for x in own),
        missed=int((real & ~kept).sum()),
        found=int(real.sum()),
        assigned=int(kept.sum()),
        identified=int(shared[linear_sum_assignment(-shared)].sum()),
    )


def _changes(values: np.ndarray) -> int:
    return int((np.diff(values) != 0).sum())


def _gaps(there: np.ndarray) -> int:
    """Runs of False between True."""
    seen = np.flatnonzero(there)
    return int((np.diff(seen) > 1).sum())
