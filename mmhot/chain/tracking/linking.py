"""Links of tracklets over occlusions, by their motion on both sides."""

from dataclasses import dataclass

import numpy as np

from mmhot.structures.clips_2d import Track2D, join_tracks
from mmhot.structures.people import box_overlap, box_size


@dataclass(frozen=True)
class LinkLimits:
    """Limits of tracklets that are linked over an occlusion.

    Two tracklets are extrapolated to the middle of the gap between them, and linked if
    they meet there. In 27 videos (as they are, every fourth frame, and with gaps), at
    most 20 of 7,500 boxes get another track from 0.5 to 2 of each limit, and in the car
    park of the tests one link differs.
    """

    max_gap: float = 2.0  # longest occlusion, seconds
    # Seconds of detections; shorter tracklets have no reliable motion, and are linked
    # to an overlapping box of the next frame only.
    min_length: float = 0.2
    motion_span: float = 0.5  # seconds at a tracklet's end that give its velocity
    # Person sizes; largest distance of the two extrapolations without an occlusion.
    # People who turn, bend or stop need some.
    max_distance: float = 0.3
    # Person sizes per second of occlusion that are added to ``max_distance``
    distance_per_second: float = 0.4
    max_size_ratio: float = 1.5  # largest ratio of the person sizes on both sides


_LIMITS = LinkLimits()


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
                misfits[pair] = misfit(tracks[row], tracks[column], fps)
        best = min(misfits, key=lambda pair: (misfits[pair], pair), default=None)
        if best is None or misfits[best] >= 1:
            break
        left[best[0]] = join_tracks((left[best[0]], left.pop(best[1])))
        misfits = {x: y for x, y in misfits.items() if not {*best} & {*x}}
    return list(left.values())


def misfit(before: Track2D, after: Track2D, fps: float) -> float:
    """Measure how badly one tracklet continues another; from 1 on they stay apart.

    This is the distance of both extrapolations over the largest one allowed. Short
    tracklets have no reliable motion, and are compared by the overlap of their boxes.

    Args:
        before (Track2D): Tracklet with boxes.
        after (Track2D): Tracklet that begins later.
        fps (float): Frames per second.
    """
    lengths = np.array([len(before.frames), len(after.frames)])
    too_short = lengths < _LIMITS.min_length * fps
    gap = after.frames[0] - before.frames[-1]
    if too_short.any():
        if too_short.all() or gap > 1:
            return np.inf
        return float(1 - box_overlap(before.boxes[-1], after.boxes[0]))
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
