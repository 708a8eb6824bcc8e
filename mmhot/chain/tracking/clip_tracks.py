"""Tracking of the people in a clip: drop false alarms, link tracks over occlusions.

``docs/tracking.md`` compares trackers and counts wrong IDs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mmhot.chain.tracking.crossings import end_takeovers, uncross
from mmhot.chain.tracking.person_tracker import TrackedPerson, Tracker
from mmhot.structures.clips_2d import Track2D, join_tracks
from mmhot.structures.people import People, box_overlap, box_size


@dataclass(frozen=True)
class LinkLimits:
    """Limits of tracks, and of tracklets that are linked over an occlusion.

    Two tracklets are extrapolated to the middle of the gap between them, and linked if
    they meet there.
    """

    # Seconds of detections; shorter tracks are dropped. Higher values drop more false
    # alarms, and more people who are seen briefly.
    min_duration: float = 0.25
    max_gap: float = 2.0  # longest occlusion, seconds; higher links more tracklets
    # Seconds of detections; shorter tracklets have no reliable motion, and are only
    # linked over a gap of ``max_short_gap``. Higher values link fewer.
    min_length: float = 0.2
    # Seconds; longest gap before or after a short tracklet. Higher values link more.
    max_short_gap: float = 0.1
    # Least overlap of the boxes before and after this gap, as a share of the smaller
    # box. Higher values link fewer.
    min_shared: float = 0.5
    motion_span: float = 0.5  # seconds at a tracklet's end that give its velocity
    # Person sizes; largest distance of the two extrapolations without an occlusion.
    # Higher values link people who turn, bend or stop, and more wrong people.
    max_distance: float = 0.3
    # Person sizes per second of occlusion that are added to ``max_distance``
    distance_per_second: float = 0.4
    # Largest ratio of the person sizes on both sides. Higher values link more.
    max_size_ratio: float = 1.5


_LIMITS = LinkLimits()


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
    tracker = Tracker(fps, _LIMITS.max_gap)
    detections: dict[TrackedPerson, list[tuple[int, People, int]]] = {}
    for index, frame in enumerate(people, first):
        for person in tracker.update(frame, index):
            detections.setdefault(person, []).append((index, frame, person.row))
        progress(index + 1)
    # A tracklet's number is its row in the first frame: tracks that begin in the same
    # frame are ordered by it.
    tracklets = [make_track(x[0][2], x) for x in detections.values()]
    tracks = link_tracklets(tracklets, fps)
    usual = math.ceil(_LIMITS.min_duration * fps)
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


def link_tracklets(tracklets: list[Track2D], fps: float) -> list[Track2D]:
    """Link tracklets where one continues another, the best fit first.

    Args:
        tracklets (list[Track2D]): Tracklets with boxes, of one shot.
        fps (float): Frames per second.

    Returns:
        list[Track2D]: Tracks; a linked one has the number of its first tracklet.
    """
    left = dict(enumerate(tracklets))
    longest = _LIMITS.max_gap * fps
    misfits: dict[tuple[int, int], float] = {}
    while left:
        numbers, tracks = zip(*left.items(), strict=True)
        starts, ends = np.array([[x.frames[0], x.frames[-1]] for x in tracks]).T
        gaps = starts - ends[:, None]
        for row, column in np.argwhere((gaps > 0) & (gaps <= longest)):
            pair = numbers[row], numbers[column]
            if pair not in misfits:
                misfits[pair] = _misfit(tracks[row], tracks[column], fps)
        best = min(misfits, key=lambda pair: (misfits[pair], pair), default=None)
        if best is None or misfits[best] >= 1:
            break
        left[best[0]] = join_tracks((left[best[0]], left.pop(best[1])))
        misfits = {x: y for x, y in misfits.items() if not {*best} & {*x}}
    return list(left.values())


def _misfit(before: Track2D, after: Track2D, fps: float) -> float:
    """Measure how badly one tracklet continues another; from 1 on they stay apart.

    This is the distance of both extrapolations over the largest one allowed. Short
    tracklets have no reliable motion, and are compared by the overlap of their boxes.
    """
    lengths = np.array([len(before.frames), len(after.frames)])
    too_short = lengths < _LIMITS.min_length * fps
    gap = after.frames[0] - before.frames[-1]
    if too_short.any():
        if too_short.all() or gap > max(1, _LIMITS.max_short_gap * fps):
            return np.inf
        shared = box_overlap(before.boxes[-1], after.boxes[0])
        return float((1 - shared) / (1 - _LIMITS.min_shared))
    span = _LIMITS.motion_span * fps
    center, speed, size = _motion(before.frames[::-1], before.boxes[::-1], span)
    next_center, next_speed, next_size = _motion(after.frames, after.boxes, span)
    if max(size, next_size) > _LIMITS.max_size_ratio * min(size, next_size):
        return np.inf
    # Both are extrapolated to the middle of the gap.
    ahead = center + gap / 2 * speed
    back = next_center - gap / 2 * next_speed
    allowed = _LIMITS.max_distance + _LIMITS.distance_per_second * gap / fps
    return float(np.linalg.norm(ahead - back) / (allowed * (size + next_size) / 2))


def _motion(
    frames: np.ndarray, boxes: np.ndarray, span: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Estimate the motion in the first of the frames (T,), which may be reversed.

    Boxes (T, 4) within ``span`` frames are used. Returns the center of the first box
    (2,) in pixels, the velocity (2,) in pixels per frame, and the person's size in
    pixels.
    """
    near = abs(frames - frames[0]) <= max(1, span)
    frames = frames[near]
    boxes = boxes[near].astype(np.float64)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = float(box_size(boxes).mean())
    velocity = np.zeros(2)
    if len(frames) >= 3:
        velocity, _ = np.polyfit(frames - frames[0], centers, 1)
    return centers[0], velocity, size
