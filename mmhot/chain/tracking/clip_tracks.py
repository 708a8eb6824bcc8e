"""Tracking of the people in a clip: drop false alarms, link tracks over occlusions.

``docs/tracking.md`` compares trackers and counts wrong IDs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mmhot.chain.tracking.crossings import end_takeovers, uncross
from mmhot.chain.tracking.linking import LinkLimits, link_tracklets
from mmhot.chain.tracking.person_tracker import TrackedPerson, Tracker
from mmhot.structures.clips_2d import Track2D
from mmhot.structures.people import People

# Seconds of detections; shorter tracks are dropped. With half of it, 11 more false
# alarms of ten videos become people, with double 3 people who are seen briefly do not.
_MIN_DURATION = 0.25


def track_clip(
    people: Sequence[People],
    fps: float,
    progress: Callable[[int], None] = lambda done: None,
    cuts: Sequence[int] = (),
    first: int = 0,
    looks: dict[str, np.ndarray] | None = None,
) -> list[Track2D]:
    """Track the people in a clip.

    This adds four things to the :class:`~mmhot.chain.tracking.person_tracker.Tracker`:
    short tracks are dropped, tracks include the frames before their confirmation,
    tracklets on both sides of an occlusion are linked, and clothes decide the
    identities after two people have met.

    Args:
        people (Sequence[People]): People in each frame.
        fps (float): Frames per second.
        progress (Callable): Called with the number of frames done.
        cuts (Sequence[int]): First frame of each further shot; tracks end there.
        first (int): First frame that was processed. Defaults to 0.
        looks (dict[str, np.ndarray], optional): Descriptions of people, see
            :meth:`~mmhot.chain.tracking.appearance.AppearanceObserver.arrays`; without
            them, clothes are not compared.

    Returns:
        list[Track2D]: Tracks, ordered by first frame and numbered from 0. They only
        contain the frames in which the person was detected.
    """
    tracks = []
    for begin, last in pairwise([first, *sorted(cuts), len(people)]):
        tracks += _track_shot(people[begin:last], begin, fps, progress, looks)
    return number_tracks(tracks)


def number_tracks(tracks: list[Track2D]) -> list[Track2D]:
    """Number tracks from 0, in order of their first frames, then of their numbers."""
    ordered = sorted(tracks, key=lambda track: (track.frames[0], track.track))
    return [replace(track, track=number) for number, track in enumerate(ordered)]


def _track_shot(
    people: Sequence[People],
    first: int,
    fps: float,
    progress: Callable[[int], None],
    looks: dict[str, np.ndarray] | None,
) -> list[Track2D]:
    """Track the people in the frames of one shot; see :func:`track_clip`."""
    tracker = Tracker(fps, LinkLimits.max_gap)
    detections: dict[TrackedPerson, list[tuple[int, People, int]]] = {}
    for index, frame in enumerate(people, first):
        for person in tracker.update(frame, index):
            detections.setdefault(person, []).append((index, frame, person.row))
        progress(index + 1)
    # A tracklet's number is its row in the first frame: tracks that begin in the same
    # frame are ordered by it.
    tracklets = [make_track(x[0][2], x) for x in detections.values()]
    tracks = link_tracklets(tracklets, fps)
    usual = math.ceil(_MIN_DURATION * fps)
    least = max(1, min(usual, len(people) // 2))  # shorter in very short shots
    tracks = [track for track in tracks if len(track.frames) >= least]
    if looks is None:
        return tracks
    return end_takeovers(uncross(tracks, looks, fps), looks, fps)


def make_track(number: int, detections: list[tuple[int, People, int]]) -> Track2D:
    """Make a track from the detections of one person.

    Args:
        number (int): Track ID.
        detections (list[tuple[int, People, int]]): Frame number, the people in that
            frame, and the row of the person among them.

    Returns:
        Track2D: Track with keypoints, scores and boxes.
    """
    keypoints, scores, boxes = (
        np.array([getattr(people, name)[row] for _, people, row in detections], 'f4')
        for name in ('keypoints', 'scores', 'bboxes')
    )
    frames = np.array([index for index, _, _ in detections], np.int64)
    return Track2D(number, frames, keypoints, scores, boxes)
