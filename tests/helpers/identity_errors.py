"""Identity errors of tracks whose people are known."""

import numpy as np


def count_identity_errors(owners, ids):
    """Compare a clip's tracks with the identities of its detections, by frame.

    Owners are people from 0, -1 for false positives; IDs of tracks are -1 for none.
    Returns the number of ``people``, of detections ``found``, of those ``missed`` by
    all tracks, and of ``tracks``; changes of a person's track, ``switches``, and of a
    track's person, ``mixed``.
    """
    owner, track = np.concatenate(owners), np.concatenate(ids)
    real, kept = owner >= 0, track >= 0
    people, tracks = np.unique(owner[real]), np.unique(track[kept])
    return dict(
        people=len(people),
        found=int(real.sum()),
        missed=int((real & ~kept).sum()),
        tracks=len(tracks),
        switches=sum(_changes(track[(owner == each) & kept]) for each in people),
        mixed=sum(_changes(owner[(track == each) & real]) for each in tracks),
    )


def _changes(values):
    return int(np.count_nonzero(np.diff(values)))
