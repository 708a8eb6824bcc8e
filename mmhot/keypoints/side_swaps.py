"""Repair of left/right swaps and duplicated limbs in 2D keypoints, over whole tracks.

A state says which of a person's limbs (legs, arms, head) are swapped in a frame. The
Viterbi algorithm finds the most probable sequence of states: joints move at a nearly
constant velocity, hips and shoulders face the same way, and swaps are rare. Constant
velocity needs three frames, so the search is of second order.

With two limbs there are four states. If left and right leg exchange their places for
two frames, a sequence without swaps pays for four improbable jumps: two legs, there and
back. The sequence with the legs swapped in these frames pays for two changes of state.

A second search finds copies: both forearms, or both shins, are found on the visible
one, as the other is occluded.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mmhot.errors import escape
from mmhot.geometry.keypoint_arrays import interpolate_missing
from mmhot.skeletons.joints import get_skeleton
from mmhot.step import KeypointStep
from mmhot.structures.clips_2d import Clip2D, Track2D

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SwapCosts:
    """Costs of the search for swapped sides, as negative logarithms of probabilities.

    All twists of a track together must cost less than one swap, as people do twist. A
    person size is the longer side of the box around the keypoints, median over frames.
    """

    change: float = 2.5  # cost of each start and end of a swap; higher finds fewer
    swapped: float = 2.5  # cost of each second in which a limb is swapped
    # Cost of a frame in which hips and shoulders face opposite ways. Higher values swap
    # more limbs to undo a twist.
    twisted: float = 1.0
    max_twisted: float = 2.0  # largest sum of these costs in a track
    # Width of hips and shoulders in the image, person sizes; narrower ones say less
    # about their direction. Higher values trust fewer directions.
    min_width: float = 0.06
    noise: float = 0.006  # standard deviation of a keypoint, person sizes
    # Standard deviation of a joint's acceleration, person sizes / s^2. Higher values
    # tolerate faster turns, and find fewer swaps.
    acceleration: float = 4.0
    # Weight of a missing keypoint; visible keypoints have their score as weight.
    missing_weight: float = 0.05
    # Factor of all weights if a clip has no scores. Higher values find more swaps.
    unrated_factor: float = 0.4
    # Largest distance of a joint from its copy, person sizes. Higher values find more
    # copies.
    max_copy_distance: float = 0.08
    # Longest copy, seconds: legs side by side overlap for longer. Higher values find
    # more copies.
    max_copy_duration: float = 0.8
    copied: float = 4.0  # cost of each start and end of a copy; higher finds fewer
    occluded: float = 1.0  # cost of an occluded joint's unknown motion, each frame
    chunk_frames: int = 64  # frames that are computed at once, to limit the memory


_COSTS = SwapCosts()
_Pairs = list[tuple[int, int]]  # pairs of a left and a right joint


@cache
def _parts_of(name: str) -> dict[tuple[str, bool], _Pairs]:
    """Group the left/right pairs of a skeleton that are swapped together.

    Keys are the limb ('arm', 'head' or 'leg') and whether the joints are at or beyond
    the elbow or knee; joints that hang on no arm or leg belong to the head.
    """
    skeleton = get_skeleton(name)
    parts: dict[tuple[str, bool], _Pairs] = {}
    for pair in skeleton.flip_pairs:
        limb = ''
        is_far = False
        joint = pair[0]
        while joint >= 0 and not limb:
            above = skeleton.joints[joint].rpartition('_')[2]
            limb = {'hip': 'leg', 'shoulder': 'arm'}.get(above, '')
            is_far |= above in ('knee', 'elbow')
            joint = skeleton.parents[joint]
        key = (limb, is_far) if limb else ('head', False)
        parts.setdefault(key, []).append(pair)
    return dict(sorted(parts.items()))


@dataclass(frozen=True, kw_only=True)
class RepairSides(KeypointStep):
    """Step ``sides``: exchange left and right where they are swapped.

    Arms, legs, heads, or only forearms and shins are exchanged. Sides that agree with
    most frames of a track stay. Where both forearms or both shins are found on one of
    them, the occluded one becomes missing.
    """

    name, of_people = 'sides', True

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Undo swaps, and drop copies, in a clip with any skeleton."""
        tracks = []
        exchanged = copied = 0
        every = np.concatenate([track.scores.ravel() for track in clip.tracks])
        is_rated = len(np.unique(every[every > 0])) > 1
        for track, confidence in zip(clip.tracks, clip.confidences, strict=True):
            seconds = clip.times_of(track.frames)
            factor = 1 if is_rated else _COSTS.unrated_factor
            rated = replace(track, scores=factor * confidence)
            swapped = find_swaps(rated, clip.skeleton, seconds)
            rated = _exchanged(rated, swapped, clip.skeleton)
            again, hidden = find_copies(rated, clip.skeleton, seconds)
            swapped ^= again
            track = _exchanged(track, swapped, clip.skeleton)
            points = np.where(hidden[..., None], np.nan, track.keypoints)
            scores = np.where(hidden, 0, track.scores)
            tracks.append(replace(track, keypoints=points, scores=scores))
            exchanged += int(swapped.any(1).sum())
            copied += int(hidden.any(1).sum())
        if (exchanged or copied) and not is_rated:
            text = (
                '%s: keypoints have no scores: by motion, left and right are exchanged '
                'in %d frames, and limbs count as missing in %d'
            )
            source = escape(clip.source or clip.name)
            _LOGGER.warning(text, source, exchanged, copied)
        return replace(clip, tracks=tracks)


def _exchanged(track: Track2D, swapped: np.ndarray, skeleton: str) -> Track2D:
    """Exchange the joints marked in ``swapped`` (T, K) with their counterparts."""
    mirror = get_skeleton(skeleton).flip_indices
    points = track.keypoints
    points = np.where(swapped[..., None], points[:, mirror], points)
    scores = np.where(swapped, track.scores[:, mirror], track.scores)
    return replace(track, keypoints=points, scores=scores)


def find_swaps(track: Track2D, skeleton: str, seconds: np.ndarray) -> np.ndarray:
    """Find joints that are swapped with their counterpart.

    Args:
        track (Track2D): Keypoints of one person; scores are used as weights.
        skeleton (str): Name of the keypoints' skeleton.
        seconds (np.ndarray): Time of each frame, (T,).

    Returns:
        np.ndarray: Whether a joint and its counterpart are swapped, (T, K) bool.

    Example:
        The legs of a person who moves to the right by 3 pixels a frame have exchanged
        their names in the third of four frames.

        >>> legs = [11, 13, 15, 12, 14, 16]  # left hip to ankle, right hip to ankle
        >>> frames = np.arange(4)
        >>> points = np.full((4, 17, 2), np.nan)
        >>> points[:, legs, 0] = [100, 100, 100, 140, 140, 140] + 3 * frames[:, None]
        >>> points[:, legs, 1] = [0, 50, 100, 0, 50, 100]
        >>> points[2, legs] = points[2, legs[3:] + legs[:3]]
        >>> track = Track2D(0, frames, points, np.ones((4, 17)))
        >>> find_swaps(track, 'coco-17', frames / 25)[:, legs].all(1).tolist()
        [False, False, True, False]
    """
    parts = _parts_of(skeleton)
    swapped = np.zeros(track.scores.shape, bool)
    visible = np.isfinite(track.keypoints).all(-1)
    if len(seconds) < 3 or not parts or not visible.any():
        return swapped
    motion = _Motion(track, seconds)
    states = _LimbStates(parts)
    single = motion.swapped * states.num_swapped + _twists(parts, states, motion.points)
    turn_costs = []
    for pairs in parts.values():
        # The first two pairs suffice: fingers, toes and facial landmarks add nothing.
        of_pairs = map(motion.pair_costs, pairs[:2])
        sums = (weight[:, None] * x.sum(-1).reshape(-1, 4) for x, weight in of_pairs)
        turn_costs.append(sum(sums))
    motions = states.motion_costs(np.concatenate(turn_costs, 1))
    path = _most_probable(states.change_costs(), single, motions)
    for part, pairs in enumerate(parts.values()):
        swapped[:, np.ravel(pairs)] = states.swapped[path, part, None]
    return swapped


class _LimbStates:
    """All combinations of swapped parts of a body.

    Attributes:
        swapped (np.ndarray): Whether each part is swapped in each state, (S, P) bool.
            The first state has no swap.
        num_swapped (np.ndarray): Number of swapped limbs in each state, (S,). A limb of
            which only the far part is swapped counts, too.
    """

    def __init__(self, parts: dict[tuple[str, bool], _Pairs]) -> None:
        count = len(parts)
        self.swapped = np.indices([2] * count).reshape(count, -1).T.astype(bool)
        limbs = [limb for limb, _ in parts]
        self._is_of_limb = np.array(limbs)[:, None] == sorted({*limbs})
        self._differs = self.swapped[:, None] ^ self.swapped
        self.num_swapped = (self.swapped @ self._is_of_limb).sum(-1)

    def change_costs(self) -> np.ndarray:
        """Compute the costs (S, S) of a change between two states.

        Each limb that changes costs the same. A change of the whole body costs as much
        as the change of one limb.
        """
        is_even = self.swapped.all(-1) | ~self.swapped.any(-1)
        is_whole = self._differs.all(-1) & is_even
        limbs = (self._differs @ self._is_of_limb).sum(-1)
        return _COSTS.change * np.where(is_whole, 1, limbs)

    def motion_costs(self, turn_costs: np.ndarray) -> Iterator[np.ndarray]:
        """Generate costs (S, S, S) of the states in three consecutive frames.

        Args:
            turn_costs (np.ndarray): Costs of each part by whether it changes before (2)
                and after (1) the second of three frames, (T - 2, 4 P).
        """
        # These kinds of change one-hot, (4 P, S ** 3). Example with two parts: in the
        # states 01, 01, 11 the first part changes after the second frame (kind 1), and
        # the second part never changes (kind 0).
        kinds = 2 * self._differs[:, :, None] + self._differs
        count, parts = self.swapped.shape
        changes = (kinds[..., None] == range(4)).reshape(-1, 4 * parts).T
        changes = changes.astype(np.float64)
        for start in range(0, len(turn_costs), _COSTS.chunk_frames):
            chunk = turn_costs[start : start + _COSTS.chunk_frames]
            yield from (chunk @ changes).reshape(-1, count, count, count)


class _Motion:
    """Motion of a track's joints in person sizes, and its cost.

    Attributes:
        points (np.ndarray): Keypoints in person sizes, missing ones interpolated,
            (T, K, 2).
        swapped (float): Cost of a frame in which a limb is swapped.
    """

    def __init__(self, track: Track2D, seconds: np.ndarray) -> None:
        steps = np.diff(seconds)
        self.swapped = _COSTS.swapped * float(np.median(steps))
        is_seen = np.isfinite(track.keypoints).all(-1)
        self.points = interpolate_missing(track.keypoints.astype(np.float64), seconds)
        # The person size is the longer side of the box around keypoints, median over
        # frames.
        visible = track.keypoints[is_seen.any(1)]
        boxes = np.nanmax(visible, 1) - np.nanmin(visible, 1)
        self.points /= max(float(np.median(boxes.max(1))), 1.0)
        weights = np.clip(track.scores, _COSTS.missing_weight, 1)
        self._weights = np.where(is_seen, weights, _COSTS.missing_weight)
        # Variance of a position's error when the last velocity predicts it: noise of
        # three keypoints, and acceleration
        steps = steps.clip(1e-3)
        self._ratio = (steps[1:] / steps[:-1])[:, None]
        moved = _COSTS.acceleration * steps[1:] * (steps[1:] + steps[:-1]) / 2
        ratio = self._ratio[:, 0]
        noise = _COSTS.noise**2 * (1 + (1 + ratio) ** 2 + ratio**2)
        self._variance = noise + moved**2

    def pair_costs(self, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the cost of the motion of a left and a right joint.

        It is the negative logarithm of a heavy-tailed (Cauchy) density of the distance
        from the position that constant velocity predicts, for each three consecutive
        frames.

        Returns:
            tuple[np.ndarray, np.ndarray]: Costs (T - 2, 2, 2, 2), indexed by whether
            sides change before the second frame, whether they change after it, and the
            side in it; and weights (T - 2,).
        """
        sides, weight = self.points[:, pair], self._weights[:, pair].min(1)
        costs = np.empty((len(sides) - 2, 2, 2, 2))
        for before, after in np.ndindex(2, 2):
            first, last = (sides[:, ::-1] if x else sides for x in (before, after))
            start, here, end = first[:-2], sides[1:-1], last[2:]
            error = end - here - self._ratio[:, None] * (here - start)
            squares = (error**2).sum(-1) / self._variance[:, None]
            costs[:, before, after] = np.log1p(squares)
        return costs, weight[2:] * weight[1:-1] * weight[:-2]


# The six states of a copy: whether left and right are exchanged (0, 1), and which side
# is occluded (0: left, 1: right, 2: none)
_COPIES = np.array([(turn, side) for side in (2, 0, 1) for turn in (0, 1)])


def find_copies(
    track: Track2D, skeleton: str, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find copies: forearms or shins that are both found on the visible one.

    A copy begins and ends with a jump of the occluded limb, or of both limbs if the
    visible one has the other's name. Limbs that really overlap part smoothly.

    Args:
        track (Track2D): Keypoints of one person; scores are used as weights.
        skeleton (str): Name of the keypoints' skeleton.
        seconds (np.ndarray): Time of each frame, (T,).

    Returns:
        tuple[np.ndarray, np.ndarray]: Joints to exchange with their counterparts, and
        joints that are occluded after that, both (T, K) bool.
    """
    swapped, hidden = (np.zeros(track.scores.shape, bool) for _ in range(2))
    if len(seconds) < 3 or not np.isfinite(track.keypoints).all(-1).any():
        return swapped, hidden
    motion = _Motion(track, seconds)
    turns, sides = _COPIES.T
    # In a copy the visible limb has both names, and may leave it with either one: the
    # change of sides is free there.
    change = np.where(sides < 2, 0, _COSTS.change) * (turns[:, None] != turns)
    change = np.where(sides[:, None] == sides, change, _COSTS.copied)
    for pairs in (x for (_, is_far), x in _parts_of(skeleton).items() if is_far):
        first, last = np.moveaxis(motion.points[:, pairs], 2, 0)
        is_near = np.linalg.norm(first - last, axis=-1) < _COSTS.max_copy_distance
        edges = np.diff(is_near.any(1), prepend=False, append=False)
        for start, stop in np.flatnonzero(edges).reshape(-1, 2):
            if seconds[stop - 1] - seconds[start] > _COSTS.max_copy_duration:
                is_near[start:stop] = False
        if not is_near.any():
            continue
        single = motion.swapped * np.tile(turns > 0, (len(seconds), 1))
        single[np.ix_(~is_near[:, :2].any(1), sides < 2)] = np.inf
        facts = [motion.pair_costs(pair) for pair in pairs[:2]]
        path = _most_probable(change, single, _copy_costs(facts, is_near))
        if (sides[path] < 2).any():
            for pair, is_copied in zip(pairs, is_near.T, strict=True):
                swapped[:, pair] = turns[path, None] > 0
                hidden[:, pair] = (sides[path] == [[0], [1]]).T & is_copied[:, None]
    return swapped, hidden


def _most_probable(
    change: np.ndarray, single: np.ndarray, motion: Iterable[np.ndarray]
) -> np.ndarray:
    """Find the most probable sequence of states by a Viterbi search of second order.

    Args:
        change (np.ndarray): Costs of a change between two states, (S, S).
        single (np.ndarray): Cost of each state in each frame, (T, S).
        motion (Iterable[np.ndarray]): Costs of the states in three consecutive frames,
            T - 2 arrays (S, S, S).

    Returns:
        np.ndarray: State in each frame, (T,).
    """
    length, count = single.shape
    # Lowest cost so far by the states of the last two frames. A track that begins
    # swapped pays for this change, too.
    best = change[0][:, None] + single[0][:, None] + single[1] + change
    origin = np.empty((length, count, count), np.uint8)
    for frame, costs in enumerate(motion, 2):
        total = costs + best[:, :, None]
        first = total.argmin(0)
        origin[frame] = first
        best = np.take_along_axis(total, first[None], 0)[0]
        best += change + single[frame]
    path = np.empty(length, int)
    path[-2:] = np.unravel_index(best.argmin(), best.shape)
    for frame in range(length - 1, 1, -1):
        path[frame - 2] = origin[frame, path[frame - 1], path[frame]]
    return path


def _copy_costs(
    facts: list[tuple[np.ndarray, np.ndarray]], is_near: np.ndarray
) -> np.ndarray:
    """Compute costs of motion by the states of a copy in three frames.

    Args:
        facts (list[tuple[np.ndarray, np.ndarray]]): Costs and weights of each pair of
            joints, see :meth:`_Motion.pair_costs`.
        is_near (np.ndarray): Whether both joints of a pair are in one place, (T, P).

    Returns:
        np.ndarray: Costs (T - 2, S, S, S). The motion of an occluded joint is unknown,
        and has a constant cost.
    """
    turns, sides = _COPIES.T
    total = np.zeros((len(is_near) - 2, *[len(turns)] * 3))
    turned = turns[:, None] ^ turns
    for (costs, weight), near in zip(facts, is_near.T, strict=False):
        for side in (0, 1):
            absent = near[:, None] & (sides == side)
            start, here, end = absent[:-2], absent[1:-1], absent[2:]
            early = start[:, :, None, None] | here[:, None, :, None]
            observed = (side ^ turns)[None, :, None]
            moves = costs[:, turned[:, :, None], turned[None], observed]
            moves = np.where(early | end[:, None, None], _COSTS.occluded, moves)
            total += weight[:, None, None, None] * moves
    # A copy lasts as long as the joints are near each other: the occluded side cannot
    # change before.
    lasts = is_near[1:-1].any(1) & is_near[2:].any(1)
    total[lasts] += np.where(sides[:, None] != sides, np.inf, 0)
    return total


def _twists(
    parts: dict[tuple[str, bool], _Pairs], states: _LimbStates, points: np.ndarray
) -> np.ndarray:
    """Compute costs (T, S) of states in which hips and shoulders face opposite ways.

    They are scaled so that no sequence of states can avoid more than ``max_twisted``.
    """
    keys = ('arm', False), ('leg', False)
    if not {*keys} <= {*parts}:
        return np.zeros((len(points), len(states.swapped)))
    pairs = [parts[key][0] for key in keys]
    lines = [points[:, left] - points[:, right] for left, right in pairs]
    widths = [np.linalg.norm(line, axis=-1) for line in lines]
    cosine = (lines[0] * lines[1]).sum(-1) / (widths[0] * widths[1]).clip(1e-9)
    cosine *= (np.minimum(*widths) / _COSTS.min_width).clip(0, 1)
    first, second = states.swapped[:, [[*parts].index(key) for key in keys]].T
    signs = np.where(first == second, 1, -1)
    total = _COSTS.twisted * (-cosine).clip(0).sum()
    limit = _COSTS.max_twisted / max(total, _COSTS.max_twisted)
    return _COSTS.twisted * limit * (-cosine[:, None] * signs).clip(0)
