"""Conventions that arrays of people do not state, and what poses show of them.

The line that says what was read names each guess. An argument states the truth instead,
see ``docs/input-formats.md``.

==============  ========================================  ================  ===========
not stated      evidence                                  else              argument
==============  ========================================  ================  ===========
joint order     people stand: head, shoulders, hips,      usual order of    skeleton
                knees and ankles are above each other;    K joints
                bones keep their lengths in 3D
people in       people move little from one frame to      as they are       track
(T, P, K, C)    the next
unit            bones have the lengths of people          meters            height
axis up         people stand; a floor is at zero; people  an error asks     axes
                are in front of a camera
handedness      knees bend forwards                       right-handed      axes
positions       the pelvis leaves the origin              unknown           root_3d
==============  ========================================  ================  ===========

The last three, which need several of them together, are in
:mod:`mmhot.structures.pose_arrays`.
"""

import logging
from collections.abc import Sequence

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import NOTICE, ArgumentError, ignored_warnings
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
_PELVIS, _THORAX, _HEAD = _H36M.indices(['root', 'thorax', 'head'])
_FEET, _KNEES, _HIPS, _HANDS = (
    _H36M.indices([f'left_{part}', f'right_{part}'])
    for part in ('foot', 'knee', 'hip', 'wrist')
)
# Joints from top to bottom, by their names in all skeletons.
_LEVELS = (
    ('head_top', 'head_center', 'neck_base', 'nose'),
    *(
        (f'left_{part}', f'right_{part}')
        for part in ('shoulder', 'hip', 'knee', 'ankle')
    ),
)
# Ranges are answers about 23 clips of rendered people and real videos, upright, turned
# and in percent, in two orders of joints, and about 28 motions of CMU in 12 forms.
# Share of the body's height; people stand if each level is at least this much below the
# one before. Half of it changes 5 of 796 answers, double 24.
_MIN_STEP = 0.05
# Share of the body's height; the top of the head is at least this much above the nose
# of standing people: .035 to .059 (90 %) in rendered people, and eyes .013 to .030 in
# detected ones. 0.03 and 0.04 recognize the same orders.
_MIN_HEAD = 0.035
_EYES = 'left_eye', 'right_eye'
# Share of the body's height; shoulders, hips and eyes of standing people differ by at
# most this. Half of it changes 15 of 796 answers, double 13.
_MAX_TILT = 0.12
# Share of frames in which people stand; an order of joints with more is kept. With 0.5
# to 10 of it answers stay.
_KEPT_SHARE = 0.05
# Share of frames in which people stand; another order or axis with more is recognized.
# Half of it recognizes 4 wrong orders.
_FOUND_SHARE = 0.5
# Change of the lengths of bones in another order, as a share of their change in the
# order that is used, below which the other one is recognized. No right order of CMU's
# 409 motions has another with less than 0.8 at up to 0.1 m of noise. 0.5 to 10 of it
# give the same answers.
_MAX_CHANGE = 0.5
# Degrees; largest angles between trunk and legs, and between thighs and shins, of
# standing people. A bend of 60 degrees is never counted; 435 of 458 motions of CMU
# stand in a tenth of their frames. 0.5 to 2 of both change heights over floors, which
# are fitted to 14 motions, by 11 %.
_MAX_BENDS = (25.0, 50.0)
# Tangent of the angle by which the neck of standing people is ahead of their ankles:
# the median of 382 motions of CMU, in nine of ten between -0.3 and 8.4 degrees. Half of
# it changes these heights by 3 %, double by 9 %.
_LEAN = np.tan(np.radians(3.1))
# Cosine of the angle between standing people and the camera's up, which may be tilted.
# 0 to 1 of it change no height over a floor.
_MIN_UPRIGHT = 0.7
# Vertical axes by name: column and sign of up.
_UP = {'camera': (1, -1), 'y-up': (1, 1), 'z-up': (2, 1)}
# Cosine of the angle between an axis and people along it. Half of it recognizes the
# same axes.
_MIN_ALONG = 0.8
# People are along an axis in at least one frame in this many. 0.5 to 10 of it recognize
# the same axes.
_FRAMES_PER_STAND = 10
# Meters; heights of the lowest joint of people on a floor. 0 to 1 of both recognize the
# same axes; with double one of 336 arrays is refused.
_FLOOR = (-0.03, 0.2)
# Meters; people in front of a camera are at least this far away. 0 to 2 of it recognize
# the same axes.
_MIN_DEPTH = 2.0
# Meters; people are at most this far below a level camera. With half of it one of 28
# cameras that are 1 m higher is refused, with double none.
_MAX_BELOW = 2.0
_VIEW = np.array([0.8, 0.5, 2.0])  # x, y and z of the border of the view at depth 1
# Distance of a knee from the line between hip and ankle, as a share of its length.
# Knees bend if one frame in twenty has more, which is 23 degrees. 4 of 458 motions of
# CMU have less. 0 to 1 of it are equal; with double, 5 of 28 motions in left-handed
# axes are read as right-handed.
_MIN_BEND = 0.1
# Sum of these distances, positive forwards, as a share of the sum of their sizes. If it
# is larger, the direction is known. It is above 0.8 in all motions of CMU, and never
# wrong. 0 to 1 of it are equal.
_MIN_AGREEMENT = 0.5
# Person sizes; assumed motion of people who are not seen. With half of it, 3 more of 40
# pairs of people who change places and are absent now and then are followed, with
# double one less.
_UNSEEN_MOTION = 0.1
# Motion of all people after a change of places, as a share of their motion without it,
# below which they change places. Of 3,468 pairs of CMU's motions who meet at 5 to 50
# frames per second, and are absent for a while, 3 lose their own places, all at 5.
# Half of it loses 5 of 40 pairs, double follows two more.
_MAX_MOTION = 0.5
_LARGEST_PERCENT = 101  # largest coordinate of percent, if images are twice as large


def log_reading(name: str, content: str, guesses: Sequence[str]) -> None:
    """Log what was read in one line; it is a warning if something was guessed.

    Args:
        name (str): Name of the clip.
        content (str): What was read.
        guesses (Sequence[str]): What was guessed, and how to state it.
    """
    text = '; '.join(['%s: read as %s', *guesses])
    level = logging.WARNING if guesses else NOTICE
    _LOGGER.log(level, ArgumentError(text, name, content))


def describe_people(count: int) -> str:
    """Return 'one person', '2 people' and so on."""
    return 'one person' if count == 1 else f'{count} people'


def describe_frames(count: int) -> str:
    """Return 'one frame', '2 frames' and so on."""
    return 'one frame' if count == 1 else f'{count} frames'


def joint_order(points: np.ndarray, usual: Skeleton) -> tuple[Skeleton, str]:
    """Recognize the skeleton of unnamed joints by standing people.

    Args:
        points (np.ndarray): Pixels (N, K, 2), or positions with any axis up, (N, K, 3).
        usual (Skeleton): Skeleton that is kept if people stand in its order.

    Returns:
        tuple[Skeleton, str]: The usual one, or the one in whose order people stand most
        often, and why it was guessed; the text is empty if the usual one fits.
    """
    if len(_orders(points)) == 1 or _standing(points, usual) >= _KEPT_SHARE:
        return usual, ''
    best, reason = _likely_order(points, usual)
    if best is usual and _standing(points, usual, min_steps=1) >= _KEPT_SHARE:
        return usual, ''  # only a part of people is seen
    reason = (
        f'{reason} in this order'
        if reason
        else ('no person stands, so that this is the usual order')
    )
    return best, f'joints have no names, and {reason}: {{skeleton}} states another'


def ask_about_order(points: np.ndarray, skeleton: Skeleton, name: str) -> None:
    """Log if another order of joints fits much better than the one that is used.

    Args:
        points (np.ndarray): Pixels or positions, NaN where missing, (N, K, 2 or 3).
        skeleton (Skeleton): Skeleton that is used.
        name (str): Name of the clip, for the log.
    """
    if _standing(points, skeleton) < _KEPT_SHARE:
        best, reason = _likely_order(points, skeleton)
        if best is not skeleton:
            text = '%s: %s in the order of %s, not of %s: give {skeleton}'
            names = best.name, skeleton.name
            _LOGGER.warning(ArgumentError(text, name, reason, *names))


def _likely_order(points: np.ndarray, usual: Skeleton) -> tuple[Skeleton, str]:
    """Return the skeleton whose order of joints fits, and how it shows.

    ``points`` are (N, K, 2 or 3). Without evidence, it is the usual one.
    """
    orders = _orders(points) or [usual]  # it may come from a model's config
    best = max(orders, key=lambda x: _standing(points, x))
    if _standing(points, best) >= _FOUND_SHARE:
        return best, 'people stand'
    if points.shape[-1] == 3:
        best = min(orders, key=lambda x: _length_change(points, x))
        if _length_change(points, best) < _MAX_CHANGE * _length_change(points, usual):
            return best, 'bones keep their lengths'
    return usual, ''


@ignored_warnings()  # NumPy warns of bones that are never seen
def _length_change(points: np.ndarray, skeleton: Skeleton) -> float:
    """Return the mean standard deviation of the lengths of bones over N poses.

    It is at least a thousandth of the deviation of the points (N, K, 3), so that people
    who do not move fit any order.
    """
    parents, children = np.array(skeleton.bones).reshape(-1, 2).T
    lengths = np.linalg.norm(points[:, children] - points[:, parents], axis=-1)
    return max(np.nanmean(np.nanstd(lengths, axis=0)), np.nanstd(points) / 1000)


def _orders(points: np.ndarray) -> list[Skeleton]:
    """List the known skeletons of as many joints as points (..., K, C)."""
    return [x for x in SKELETONS.values() if x.num_keypoints == points.shape[-2]]


def _standing(points: np.ndarray, skeleton: Skeleton, min_steps: int = 3) -> float:
    """Return the share of poses (N, K, 2 or 3) that stand in a skeleton's order.

    In 3D, any axis may be up.
    """
    heights = [-points[..., 1]]  # pixels have y down
    if points.shape[-1] == 3:
        heights = [points[..., axis] * sign for axis in range(3) for sign in (1, -1)]
    return float(max(_stand(y, skeleton, min_steps).mean() for y in heights))


def _by_level(values: np.ndarray, skeleton: Skeleton) -> list[np.ndarray]:
    """Split values (N, K) of joints by the levels of standing people, (N, 1 to 4).

    Levels without a joint of the skeleton are NaN, (N, 1).
    """
    columns = {skeleton.meanings.get(x, x): n for n, x in enumerate(skeleton.joints)}
    unknown = np.full((len(values), 1), np.nan)
    levels = []
    for level in _LEVELS:
        known = [columns[x] for x in level if x in columns]
        levels.append(values[:, known] if known else unknown)
    return levels


@ignored_warnings()  # NumPy warns of people without joints
def _stand(heights: np.ndarray, skeleton: Skeleton, min_steps: int = 3) -> np.ndarray:
    """Mark poses (N,) with head, shoulders, hips, knees and ankles above each other.

    ``heights`` (N, K) of the joints have any unit, and are NaN where unknown. At least
    ``min_steps`` of the four steps from level to level must be known.
    """
    levels = _by_level(heights, skeleton)
    span = np.nanmax(heights, 1) - np.nanmin(heights, 1)
    steps = -np.diff([level.mean(1) for level in levels], axis=0) / span
    pairs = levels[1:3]
    if {*_EYES} <= {*skeleton.joints}:  # PoseTrack18's neck and top of the head
        pairs.append(heights[:, skeleton.indices(_EYES)])
    is_level = [~(np.ptp(x, axis=1) > _MAX_TILT * span) for x in pairs]
    is_known = np.isfinite(steps)
    is_down = (steps > _MIN_STEP) | ~is_known
    if {'head_top', 'nose'} <= {*skeleton.joints}:
        top, nose = heights[:, skeleton.indices(['head_top', 'nose'])].T
        is_down &= ~(top - nose < _MIN_HEAD * span)
    return is_down.all(0) & np.all(is_level, axis=0) & (is_known.sum(0) >= min_steps)


def ask_about_pixels(
    points: np.ndarray, skeleton: Skeleton, image_size: tuple[int, int], name: str
) -> None:
    """Log if keypoints seem to be percent, or people lie or stand on their heads.

    Args:
        points (np.ndarray): Pixels, NaN where missing, (N, K, 2).
        skeleton (Skeleton): Skeleton of the keypoints.
        image_size (tuple[int, int]): Width and height in pixels.
        name (str): Name of the clip, for the log.
    """
    if np.nanpercentile(points, 99) <= min(_LARGEST_PERCENT, min(image_size) / 2):
        text = '%s: coordinates are at most 100: convert percent of %dx%d to pixels'
        _LOGGER.warning(text, name, *image_size)
    x, y = np.moveaxis(points, -1, 0)
    if _stand(-y, skeleton).mean() >= _KEPT_SHARE:
        return
    turns = {'on their heads': y, 'lying, heads left': -x, 'lying, heads right': x}
    for title, heights in turns.items():
        if _stand(heights, skeleton).mean() >= _FOUND_SHARE:
            text = '%s: people are %s, if pixels are x to the right, then y down'
            _LOGGER.warning(text, name, title)


def up_axes(body: np.ndarray, places: np.ndarray | None) -> str:
    """Recognize the axes of bodies by how they stand and where they are.

    Three observations vote: the direction from feet to neck in most frames, a floor at
    zero below all people, and people far in front of a camera.

    Args:
        body (np.ndarray): Human3.6M's joints in meters, NaN where unknown, (N, 17, 3).
        places (np.ndarray | None): Their positions, (N, 17, 3), if these are known.

    Returns:
        str: 'camera', 'y-up' or 'z-up'.

    Raises:
        ArgumentError: If several axes have as many votes.
    """
    votes = _votes_by_direction(body, may_hang=places is not None)
    if places is not None:
        votes['camera'] += _is_before_camera(places)
        for axes in ('y-up', 'z-up'):
            column, _ = _UP[axes]
            votes[axes] += _is_on_floor(places[..., column], votes[axes] > 0)
    best = [axes for axes, count in votes.items() if count == max(votes.values())]
    if len(best) > 1:
        raise ArgumentError('axes of people are not known: {given_axes} states them')
    return best[0]


def _votes_by_direction(body: np.ndarray, may_hang: bool) -> dict[str, int]:
    """Return 1 for axes along which most bodies (N, 17, 3) stand, 0 for others.

    People with both hands beyond the head may hang, or stand on their hands, and do not
    vote. If hardly any other pose is seen, and they ``may_hang``, they vote for both
    directions.
    """
    _, directions, has_hands_up = _segments(body)
    is_known = np.isfinite(directions).all(-1)
    is_sure = is_known & ~has_hands_up
    fewest = len(body) / _FRAMES_PER_STAND
    hang = may_hang and is_sure.sum() < fewest
    directions = directions[is_known if hang else is_sure]
    votes = {}
    for axes, (column, sign) in _UP.items():
        along = sign * directions[:, column]
        is_along = (np.abs(along) if hang else along) > _MIN_ALONG
        votes[axes] = int(is_along.sum() > max(fewest, len(directions) / 2))
    return votes


@ignored_warnings()  # NumPy warns of people without joints
def _is_before_camera(places: np.ndarray) -> bool:
    """Return whether people (N, 17, 3) are mostly in the view of a camera."""
    is_level = np.nanmax(places[..., 1], 1) < _MAX_BELOW
    pelvis = places[:, _PELVIS]
    depth = pelvis[:, 2]
    is_seen = (np.abs(pelvis) < _VIEW * depth[:, None]).all(-1) & (depth > _MIN_DEPTH)
    return bool((is_seen & is_level).mean() > 0.5)


@ignored_warnings()  # NumPy warns of people without joints
def _is_on_floor(heights: np.ndarray, stand: bool) -> bool:
    """Return whether the lowest of joints at heights (N, 17) are mostly at zero.

    People who jump are rarely there. So it suffices that their feet are there now and
    then if people ``stand`` along this axis; in any other axes feet pass zero, too.
    """
    lowest = np.nanmin(heights, 1)
    least, most = _FLOOR
    is_on = (lowest > least) & (lowest < most)
    touches = least < np.nanpercentile(lowest, 5) < most
    return bool(is_on.mean() > 0.5 or (touches and stand))


def standing_axes(
    body: np.ndarray,
    max_bends: tuple[float, float] = _MAX_BENDS,
    min_upright: float = _MIN_UPRIGHT,
) -> np.ndarray:
    """Estimate the direction up from standing people.

    Standing people have trunk and legs in about one direction, and not both hands
    beyond the head. Up is slightly behind their line from feet to neck.

    Args:
        body (np.ndarray): Human3.6M's joints, z about up, (T, 17, 3).
        max_bends (tuple[float, float]): Largest angles of standing people, in degrees:
            between trunk and legs, and between thighs and shins.
        min_upright (float): Smallest cosine of the angle to z. Defaults to 0.7.

    Returns:
        np.ndarray: Unit vectors, (T, 3); NaN where no person stands.
    """
    (trunk, leg, thigh, shin), up, has_hands_up = _segments(body)
    hip_bend, knee_bend = np.cos(np.radians(max_bends))
    stands = ((trunk * leg).sum(-1) > hip_bend) & ((thigh * shin).sum(-1) > knee_bend)
    stands &= ~has_hands_up & (up[:, 2] > min_upright)
    left, right = np.moveaxis(body[:, _HIPS], 1, 0)
    ahead = unit_vectors(np.cross(left - right, up))
    return np.where(stands[:, None], unit_vectors(up - _LEAN * ahead), np.nan)


def _segments(body: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Compute directions from feet to neck of bodies (N, 17, 3).

    Returns:
        tuple: Unit vectors (N, 3) along trunk, leg, thigh and shin; unit vectors (N, 3)
        along the whole body; and whether both hands are beyond the head, (N,).
    """
    pairs = (_FEET, _KNEES, _HIPS, _HANDS)
    feet, knees, hips, hands = (body[:, pair].mean(1) for pair in pairs)
    neck = body[:, _THORAX]
    parts = neck - hips, hips - feet, hips - knees, knees - feet
    along = unit_vectors(neck - np.where(np.isnan(feet), hips, feet))
    has_hands_up = ((hands - body[:, _HEAD]) * along).sum(-1) > 0
    return [unit_vectors(part) for part in parts], along, has_hands_up


def bend_of_knees(body: np.ndarray) -> int:
    """Return whether knees bend forwards.

    Args:
        body (np.ndarray): Human3.6M's joints, (N, 17, 3).

    Returns:
        int: 1 if they bend forwards; -1 if they bend backwards, as in left-handed axes
        of Unity and of MMPose's 3D demo; 0 if they hardly bend, or both ways.
    """
    hips, knees, feet = (body[:, pair] for pair in (_HIPS, _KNEES, _FEET))
    across = hips[:, :1] - hips[:, 1:]
    leg = hips - feet
    forwards = (np.cross(across, leg) * (knees - feet)).sum(-1)
    size = np.linalg.norm(across, axis=-1) * (leg**2).sum(-1)
    bend = forwards[size > 0] / size[size > 0]
    if not len(bend) or np.percentile(np.abs(bend), 95) < _MIN_BEND:
        return 0
    agreement = bend.sum() / np.abs(bend).sum()
    return int(np.sign(agreement)) if abs(agreement) > _MIN_AGREEMENT else 0


@ignored_warnings()  # NumPy warns of people without joints
def follow_people(points: np.ndarray, name: str) -> np.ndarray:
    """Follow people who change places in an array, by distance.

    People change places if they move much less with the change than without it,
    relative to the time since they were last seen.

    Args:
        points (np.ndarray): Pixels or positions, NaN where unknown, (T, P, K, C).
        name (str): Name of the clip, for the log.

    Returns:
        np.ndarray: Place of each person in each frame, (T, P).
    """
    people = np.arange(points.shape[1])
    places = people
    order = np.tile(people, (len(points), 1))
    last = points[0].copy()
    last_frames = np.full(len(people), -1)
    extent = np.nanmax(points, 2) - np.nanmin(points, 2)
    size = np.nanmedian(extent, (0, 1)).max()
    for frame, found in enumerate(points):
        apart = np.linalg.norm(last[:, None] - found, axis=-1)
        moved = np.nanmedian(apart, -1) / size
        moved = np.where(np.isnan(moved), _UNSEEN_MOTION, moved)
        speeds = moved / (frame - last_frames[:, None])
        _, nearest = scipy.optimize.linear_sum_assignment(speeds)
        changed, kept = (speeds[people, x].sum() for x in (nearest, places))
        if changed < _MAX_MOTION * kept:
            places = nearest
        order[frame] = places
        is_seen = np.isfinite(found[places]).any((1, 2))
        last[is_seen] = found[places][is_seen]
        last_frames[is_seen] = frame
    is_changed = (order != people).any(1)
    if is_changed.any():
        _LOGGER.warning(
            '%s: people change places in %d of %d frames: followed by distance',
            name,
            is_changed.sum(),
            len(points),
        )
    return order
