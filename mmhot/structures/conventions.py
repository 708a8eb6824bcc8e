"""Conventions that arrays of people do not state: order of joints and people, axes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.geometry.keypoint_arrays import relative_scores
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
_PELVIS, _THORAX, _HEAD = _H36M.indices(['root', 'thorax', 'head'])
_PAIRS = [
    _H36M.indices([f'left_{part}', f'right_{part}'])
    for part in ('foot', 'knee', 'hip', 'wrist')
]
# Joints from top to bottom, by their names in all skeletons.
_LEVELS = (
    ('head_top', 'head_center', 'neck_base', 'nose'),
    *(
        (f'left_{part}', f'right_{part}')
        for part in ('shoulder', 'hip', 'knee', 'ankle')
    ),
)
# Least difference of height between two levels of people who stand, as a share of their
# height.
_STEP = 0.05
# Largest difference of height between both shoulders, and between both hips, as the
# same share.
_TILT = 0.12
# Share of the frames in which people stand in the usual order of joints, from which it
# is kept. Higher values examine more orders.
_LEAST_UPRIGHT = 0.05
# The same share for another order or axis, from which it is recognized. Higher values
# recognize fewer.
_MOST_UPRIGHT = 0.5
# Degrees: the largest angles between trunk and legs, and between thighs and shins, of
# people who stand. Larger angles count more people who bend and sit. A bend of 60
# degrees is never counted; 435 of 458 motions of CMU stand in a tenth of their frames.
_MAX_BENDS = (25.0, 50.0)
# Tangent of the angle by which the neck of people who stand is ahead of their ankles:
# the median of 382 motions of CMU, in nine of ten between -0.3 and 8.4 degrees.
_LEAN = np.tan(np.radians(3.1))
_UPRIGHT = 0.7  # cosine of the largest angle to the camera's up, which may be tilted
# Vertical axes by name: column and sign of up.
_UP = {'camera': (1, -1), 'y-up': (1, 1), 'z-up': (2, 1)}
_ALONG = 0.8  # cosine of the largest angle between up and people who stand
# Meters; least and largest height of the lowest joint of people on a floor.
_FLOOR = (-0.03, 0.2)
_AWAY = 2.0  # meters; least distance of people from a camera
_BELOW = 2.0  # meters; largest height of a level camera above a floor
_VIEW = np.array([0.8, 0.5, 2.0])  # x, y and z of the view's border at depth 1
# Distance of a knee from the line between hip and ankle, as a share of its length.
# Knees bend if one in twenty frames has more, which is 23 degrees. 4 of 458 motions of
# CMU have less.
_LEAST_BEND = 0.1
# Sum of these distances, positive forwards, as a share of the sum of their sizes, above
# which the direction is known. It is above 0.8 in all motions of CMU, and never wrong.
_MOST_BENDS = 0.5
# Distance of joint 9 from the line from thorax to head, relative to that line: at most
# 0.24 in poses that mmhot lifts; 0.22 to 0.69 in Human3.6M, and 0.02 to 0.40 in CMU's
# motions, so it decides nothing. More warns of fewer noses.
_NOSE = 0.33
# Person sizes per frame since people were seen last; motion that is assumed for people
# who are gone.
_GONE = 0.1
_TIE = 0.01  # the same unit; another place must be nearer by this
# People change places if they then move by less than this share of their motion without
# the change. Higher values change more places. Of 3,468 pairs of CMU's motions who meet
# at 5 to 50 frames per second, and are absent for a while, 3 lose their own places, all
# at 5.
_CLEARLY = 0.5


@dataclass(frozen=True)
class _PixelLimits:
    """Thresholds for keypoints that are not pixels of their image, which are logged."""

    # Score relative to the usual one, above which a keypoint is examined. Higher values
    # examine fewer keypoints.
    seen: float = 0.5
    # Share of seen keypoints outside the image. Higher values log fewer clips.
    outside: float = 0.05
    # Without scores, keypoints of close-ups lie outside, too: share of poses with less
    # than a fifth of their keypoints in the image. Higher values log fewer clips.
    bodies: float = 0.6
    inside: float = 0.2  # that fifth; higher values log more clips
    # People who stay in the upper left part of the image are logged if it is smaller
    # than this share of width and height. Higher values log more clips.
    corner: float = 0.2
    percent: float = 101  # pixels; the same for percent of images that are larger
    # The same share for people who fill a crop, see below. Higher values log more.
    crop: float = 0.85
    # Percentile of coordinates that counts as the largest, as some keypoints are wrong.
    nearly_all: float = 99
    # Standard deviation of the center of a crop's people, in person sizes. Higher
    # values recognize more crops.
    same_place: float = 0.05
    # Standard deviation of the logarithm of their sizes. Higher values recognize more.
    same_size: float = 0.06
    # Least share of a crop's longer side that people fill. Higher values recognize
    # fewer crops.
    filled: float = 0.65
    aspects: tuple[float, float] = (0.65, 1.1)  # least and largest width / height
    fewest: int = 8  # number of poses from which crops are recognized
    # Seconds in which the hips of people who stand move farther than the feet, while
    # people who lie rest on their hips.
    lag: float = 0.5
    moves: float = 0.02  # least movement of these hips, in person sizes
    # Movement of the stiller foot, as a share of the hips', below which feet carry the
    # person. Higher values log more clips.
    carried: float = 0.8


_PIXELS = _PixelLimits()
_STATED_SIZE = '{image_size} states the size of the images in which they were found'


def _warn(text: str, *values: object) -> None:
    """Log a line with the names of arguments."""
    _LOGGER.warning(ArgumentError(text, *values))


def joint_order(points: np.ndarray, usual: Skeleton, name: str) -> Skeleton:
    """Recognize the skeleton of unnamed joints by people who stand.

    Args:
        points (np.ndarray): Pixels (N, K, 2), or positions with any axis up, (N, K, 3).
        usual (Skeleton): Skeleton that is kept if people stand in its order.
        name (str): Name of the clip, for the log.

    Returns:
        Skeleton: The usual one, or the one in whose order most people stand.
    """
    count, size = points.shape[-2:]
    skeletons = [x for x in SKELETONS.values() if x.num_keypoints == count]
    heights = [points[..., axis] * sign for axis in range(size) for sign in (1, -1)]
    heights = heights[-1:] if size == 2 else heights  # only y down

    def share(skeleton: Skeleton, least: int = 3) -> float:
        return max(upright(y, skeleton, least).mean() for y in heights)

    if usual is _H36M and size == 3 and has_nose(points):
        _warn('%s: joint 9 may be the nose; if so, give {skeleton=h36m-17-nose}', name)
    if len(skeletons) == 1 or share(usual) >= _LEAST_UPRIGHT:
        return usual
    best = max(skeletons, key=share)
    reason = 'as people stand upright in this order'
    if share(best) < _MOST_UPRIGHT:
        if share(usual, 1) >= _LEAST_UPRIGHT:  # only a part of people is seen
            return usual
        best = usual
        reason = 'the usual order, as no person stands'
    _warn(
        '%s: %d joints without names are read as %s, %s; {skeleton} states another',
        name,
        count,
        best.name,
        reason,
    )
    return best


def _by_level(values: np.ndarray, skeleton: Skeleton) -> list[np.ndarray]:
    """Split values (N, K) of joints by the levels of people who stand.

    Levels of which the skeleton has no joint are NaN, (N, 1).
    """
    names = [skeleton.meanings.get(x, x) for x in skeleton.joints]
    return [
        values[:, [names.index(x) for x in level]]
        if (level := [x for x in parts if x in names])
        else np.full((len(values), 1), np.nan)
        for parts in _LEVELS
    ]


def upright(heights: np.ndarray, skeleton: Skeleton, least: int) -> np.ndarray:
    """Mark poses (N,) with head, shoulders, hips, knees and ankles above each other.

    ``heights`` (N, K) are the heights of joints in any unit, NaN where unknown. At
    least ``least`` pairs of neighboring levels must be known.
    """
    groups = _by_level(heights, skeleton)
    with ignored_warnings():  # NumPy warns of people without joints
        span = np.nanmax(heights, 1) - np.nanmin(heights, 1)
        steps = -np.diff([group.mean(1) for group in groups], axis=0) / span
        is_level = [~(np.ptp(x, axis=1) > _TILT * span) for x in groups[1:3]]
    is_known = np.isfinite(steps)
    is_down = (steps > _STEP) | ~is_known
    return is_down.all(0) & np.all(is_level, axis=0) & (is_known.sum(0) >= least)


def warn_of_other_pixels(
    people: Sequence[tuple[np.ndarray, np.ndarray]],
    skeleton: Skeleton,
    image_size: tuple[int, int],
    fps: float,
    name: str,
) -> None:
    """Log if keypoints do not look like pixels of the image, x right, y down.

    Each person has keypoints (T, K, 2), NaN where missing, and scores (T, K).
    """
    points, scores = (np.concatenate(parts) for parts in zip(*people, strict=True))
    size, outside = np.array(image_size), _share_outside(points, scores, image_size)
    corner = np.nanpercentile(points, _PIXELS.nearly_all, axis=(0, 1))
    frame = _crop_of(points)
    is_corner = (corner < _PIXELS.corner * size).all()
    is_corner |= corner.max() <= min(_PIXELS.percent, size.min() / 2)
    is_crop = frame is not None and (frame < _PIXELS.crop * size).all()
    down, right, up = (
        upright(sign * points[..., axis], skeleton, 3).mean()
        for axis, sign in ((1, -1), (0, -1), (1, 1))
    )
    stands = down >= _LEAST_UPRIGHT
    if outside > 0:
        text = '%s: %.0f %% of clearly seen keypoints lie outside of %dx%d pixels: '
        _warn(text + _STATED_SIZE, name, 100 * outside, *image_size)
    elif is_crop or is_corner:
        _warn(
            '%s: all people are in the upper left %.0fx%.0f of %dx%d pixels: '
            f'{_STATED_SIZE}; convert percent, or pixels of a crop, to pixels of the '
            'image',
            name,
            *corner,
            *image_size,
        )
    elif up >= _MOST_UPRIGHT and not stands:
        _LOGGER.warning('%s: people stand on their heads: pixels have y down', name)
    elif right >= _MOST_UPRIGHT and not stands:
        lag = max(round(_PIXELS.lag * fps), 1)
        if any(_is_on_feet(person, skeleton, lag) for person, _ in people):
            _LOGGER.warning(
                '%s: people lie, their heads to the left: if they stand in the images, '
                'exchange x and y, as pixels have x before y',
                name,
            )


def _share_outside(
    points: np.ndarray, scores: np.ndarray, image_size: tuple[int, int]
) -> float:
    """Return the share of seen keypoints outside the image; 0 if that is usual.

    Keypoints (N, K, 2) have scores (N, K). If all scores are alike, keypoints that the
    image does not show count as seen, and only whole bodies outside are unusual.
    """
    is_seen = relative_scores(scores) > _PIXELS.seen
    is_inside = ((points >= 0) & (points <= image_size)).all(-1) & is_seen
    if not is_seen.any():
        return 0.0
    outside = float(1 - is_inside.sum() / is_seen.sum())
    if np.ptp(scores[scores > 0]) > 0:
        return outside if outside > _PIXELS.outside else 0.0
    is_body = is_seen.any(1)
    within = is_inside[is_body].sum(1) / is_seen[is_body].sum(1)
    return outside if (within < _PIXELS.inside).mean() > _PIXELS.bodies else 0.0


def _is_on_feet(points: np.ndarray, skeleton: Skeleton, lag: int) -> bool:
    """Return whether a person's hips move farther than the stiller foot.

    Keypoints (T, K, 2) are compared with themselves ``lag`` frames later.
    """
    with ignored_warnings():  # NumPy warns of people without keypoints
        size = np.nanmedian(np.nanmax(points, 1) - np.nanmin(points, 1), 0).max()
        steps = np.linalg.norm(points[lag:] - points[:-lag], axis=-1) / size
        _, _, hips, _, feet = _by_level(steps, skeleton)
        hips, foot = np.nanmedian(hips), np.nanmedian(np.nanmin(feet, 1))
    return bool(hips > _PIXELS.moves and foot < _PIXELS.carried * hips)


def _crop_of(points: np.ndarray) -> np.ndarray | None:
    """Return the size (2,) of the crops that keypoints (N, K, 2) seem to come from.

    In crops, people move but stay in one place, with one size, and fill the crop. If
    they do not, the result is None.
    """
    with ignored_warnings():  # NumPy warns of people without keypoints
        low, high = np.nanmin(points, 1), np.nanmax(points, 1)
        size = (high - low).max(1)
        frame = np.nanmedian(low + high, 0)
        moved = np.nanstd(low + high, 0).max() / 2 / np.nanmedian(size)
        is_alike = (
            moved < _PIXELS.same_place and np.nanstd(np.log(size)) < _PIXELS.same_size
        )
    is_filled = np.nanmedian(size) > _PIXELS.filled * frame.max()
    least, most = _PIXELS.aspects
    is_usual = least < frame[0] / frame[1] < most
    is_crop = len(points) >= _PIXELS.fewest and is_alike and is_filled and is_usual
    return frame if is_crop else None


def up_axes(body: np.ndarray, places: np.ndarray | None, name: str) -> str:
    """Recognize the axes of bodies by how they stand and where they are.

    Three observations each give a point to one kind of axes: the direction from feet to
    neck in most frames, a floor at zero below all people, and people far in front of a
    camera. People with both hands beyond the head may hang or stand on their hands, so
    that either direction counts.

    Args:
        body (np.ndarray): Human3.6M's joints in meters, NaN where unknown, (N, 17, 3).
        places (np.ndarray | None): Their positions, (N, 17, 3), if these are known.
        name (str): Name of the clip, for the log.

    Returns:
        str: 'camera', 'y-up' or 'z-up'; a line in the log states it.

    Raises:
        ValueError: If several axes have as many points.
    """
    _, axis, has_hands_up = _segments(body)
    is_known = np.isfinite(axis).all(-1)
    points = dict.fromkeys(_UP, 0)
    is_sure = is_known & ~has_hands_up
    least = len(body) / 10
    hangs = places is not None and is_sure.sum() < least  # or stands on hands
    axis = axis[is_known if hangs else is_sure]
    for axes, (column, sign) in _UP.items():
        along = np.abs(axis[:, column]) if hangs else sign * axis[:, column]
        points[axes] += bool((along > _ALONG).sum() > max(least, len(axis) / 2))
    if places is not None:
        with ignored_warnings():  # NumPy warns of people without joints
            lowest, deepest = np.nanmin(places, 1), np.nanmax(places[..., 1], 1)
        pelvis, depth = places[:, _PELVIS], places[:, _PELVIS, 2]
        is_seen = (np.abs(pelvis) < _VIEW * depth[:, None]).all(-1) & (depth > _AWAY)
        is_seen &= deepest < _BELOW
        points['camera'] += bool(is_seen.mean() > 0.5)
        for axes in ('y-up', 'z-up'):
            height = lowest[:, _UP[axes][0]]
            is_on = (height > _FLOOR[0]) & (height < _FLOOR[1])
            # People who jump are rarely on the floor. Feet at a height of zero now and
            # then count only with another point, as they pass it in any axes.
            touches = _FLOOR[0] < np.nanpercentile(height, 5) < _FLOOR[1]
            points[axes] += bool(is_on.mean() > 0.5 or (touches and points[axes] > 0))
    best = [axes for axes, count in points.items() if count == max(points.values())]
    if len(best) > 1:
        raise ArgumentError('axes of people are not known: {given_axes} states them')
    text = '%s: read as %s axes; {given_axes} states others'
    if places is None:
        text = (
            '%s: read as %s axes, in which people stand; if they lie or hang, give '
            '{given_axes}'
        )
    _warn(text, name, *best)
    return best[0]


def standing_axes(
    body: np.ndarray, max_bends: tuple[float, float] = _MAX_BENDS
) -> np.ndarray:
    """Estimate the direction up from people who stand.

    Standing people have trunk and legs in about one direction, and not both hands
    beyond the head. Up is a bit behind their line from feet to neck.

    Args:
        body (np.ndarray): Human3.6M's joints, z about up, (T, 17, 3).
        max_bends (tuple[float, float]): Largest angles of people who stand, in degrees:
            between trunk and legs, and between thighs and shins.

    Returns:
        np.ndarray: Unit vectors, (T, 3); NaN where no person stands.
    """
    (trunk, leg, thigh, shin), axis, has_hands_up = _segments(body)
    unbent, straight = np.cos(np.radians(max_bends))
    stands = ((trunk * leg).sum(-1) > unbent) & ((thigh * shin).sum(-1) > straight)
    stands &= ~has_hands_up & (axis[:, 2] > _UPRIGHT)
    left, right = body[:, _PAIRS[2][0]], body[:, _PAIRS[2][1]]
    ahead = unit_vectors(np.cross(left - right, axis))
    return np.where(stands[:, None], unit_vectors(axis - _LEAN * ahead), np.nan)


def _segments(body: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Compute directions from feet to neck of bodies (T, 17, 3).

    Returns:
        tuple: Unit vectors (T, 3) along trunk, leg, thigh and shin; unit vectors (T, 3)
        along the whole body; and whether the hands are beyond the head, (T,).
    """
    feet, knees, hips, hands = (body[:, pair].mean(1) for pair in _PAIRS)
    neck, head = body[:, _THORAX], body[:, _HEAD]
    parts = neck - hips, hips - feet, hips - knees, knees - feet
    axis = unit_vectors(neck - np.where(np.isnan(feet), hips, feet))
    has_hands_up = ((hands - head) * axis).sum(-1) > 0
    return [unit_vectors(part) for part in parts], axis, has_hands_up


def bend_of_knees(body: np.ndarray) -> int:
    """Return whether knees of bodies in Human3.6M's joints (T, 17, 3) bend forwards.

    1 if so, -1 if they bend backwards, as in left-handed axes of Unity and of MMPose's
    3D demo, and 0 if they hardly bend, or both ways.
    """
    hip, knee, foot = (body[:, pair] for pair in (_PAIRS[2], _PAIRS[1], _PAIRS[0]))
    across, leg = hip[:, :1] - hip[:, 1:], hip - foot
    forwards = (np.cross(across, leg) * (knee - foot)).sum(-1)
    size = np.linalg.norm(across, axis=-1) * (leg**2).sum(-1)
    bend = forwards[size > 0] / size[size > 0]
    if not len(bend) or np.percentile(np.abs(bend), 95) < _LEAST_BEND:
        return 0
    share = bend.sum() / np.abs(bend).sum()
    return int(np.sign(share)) if abs(share) > _MOST_BENDS else 0


def has_nose(body: np.ndarray) -> bool:
    """Return whether joint 9 of bodies (N, 17, 3) is as far ahead as a nose."""
    nose, head = (body[:, x] - body[:, _THORAX] for x in (_HEAD - 1, _HEAD))
    with ignored_warnings():  # NumPy warns of people without heads
        ahead = np.linalg.norm(np.cross(nose, head), axis=-1) / (head**2).sum(-1)
        return bool(np.nanmedian(ahead) > _NOSE)


def follow_people(points: np.ndarray, name: str) -> np.ndarray:
    """Follow people who change places in an array, by distance.

    People change places if they move much less with the change than without it,
    relative to the time since they were seen last.

    Args:
        points (np.ndarray): Pixels or positions, NaN where unknown, (T, P, K, C).
        name (str): Name of the clip, for the log.

    Returns:
        np.ndarray: Place of each person in each frame, (T, P).
    """
    people = places = np.arange(points.shape[1])
    order = np.tile(people, (len(points), 1))
    last = points[0].copy()
    seen = np.full(len(people), -1)
    with ignored_warnings():  # NumPy warns of people without points
        extent = np.nanmax(points, 2) - np.nanmin(points, 2)
        size = np.nanmedian(extent, (0, 1)).max()
        for frame, found in enumerate(points):
            apart = np.linalg.norm(last[:, None] - found, axis=-1)
            apart = np.nanmedian(apart, -1) / size
            apart = np.where(np.isnan(apart), _GONE, apart) / (frame - seen[:, None])
            costs = apart - _TIE * (people[:, None] == places)
            _, nearest = scipy.optimize.linear_sum_assignment(costs)
            moved, stayed = (apart[people, x] for x in (nearest, places))
            if moved.sum() < _CLEARLY * stayed.sum():
                places = nearest
            order[frame] = places
            is_seen = np.isfinite(found[places]).any((1, 2))
            last[is_seen] = found[places][is_seen]
            seen[is_seen] = frame
    changed = (order != people).any(1)
    if changed.any():
        _LOGGER.warning(
            '%s: people change places in %d of %d frames: followed by distance',
            name,
            changed.sum(),
            len(points),
        )
    return order
