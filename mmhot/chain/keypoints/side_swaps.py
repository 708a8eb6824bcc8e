"""Repair of left/right swaps and duplicated limbs in 2D keypoints, over whole tracks.

Swaps. A state says which of a person's limbs (legs, arms, head) are swapped in a frame.
The Viterbi algorithm finds the most probable sequence of states: joints move at nearly
constant velocity, hips and shoulders face the same way, and swaps are rare. Constant
velocity needs three frames, so the search is of second order: it keeps the best path
for each pair of states in the last two frames.

With two limbs there are four states. If left and right leg exchange their places for
two frames, a sequence without swaps pays for four improbable jumps: two legs, there and
back. The sequence with the legs swapped in these frames pays for two changes of state.

Copies. A second search finds forearms that are both detected on the visible one,
because the other is occluded. Its states say which one is occluded. Shins are not
searched: in a side view they overlap without being copies.
"""

import logging
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain

import numpy as np

from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError
from mmhot.geometry.keypoint_arrays import interpolate_missing
from mmhot.geometry.outliers import list_frames
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.clips_2d import Clip2D, Track2D

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SwapCosts:
    """Costs of the search for swapped sides, as negative logarithms of probabilities.

    All twists of a track together must cost less than one swap, as people do twist, and
    cross their legs. A person size is the longer side of the box around the keypoints,
    median over frames.

    The ranges come from eight real videos (shares of legs and arms near reference
    keypoints) with three 2D models (gtpt-t, the same trained for longer, MoveNet), the
    clips in demo/, and swaps made by hand in these.
    """

    # Cost of the start, and of the end, of a swap. Half of it loses .016 of gtpt-t's
    # legs, double a sixth of the made swaps.
    change: float = 2.5
    # Cost of a second in which a limb is swapped. Results stay from 0.9 to 1.1 of it.
    # 0.6 loses .014 of MoveNet's legs, as one long swap then explains errors of two
    # single frames; 1.25 misses 14 of 24 copies in the dance.
    swapped: float = 3.2
    # Cost by which a swap of shins or forearms must be better than any other sequence,
    # such as one that explains a jump by a swap before it, not after it. Results of
    # eight real videos and fifteen rendered clips stay from 4 to 6.4 of it. 3.5 swaps
    # 3.6 % of a rendered runner's legs, 7 leaves .8 % of one real video's legs swapped.
    min_gain: float = 4.5
    # Cost of a frame in which hips face another way than shoulders, or knees and
    # ankles. Results stay from 0.6 to 2 of it.
    twisted: float = 1.5
    # Largest sum of these costs in a track without swaps. Results stay from 0.5 to 2 of
    # it. Without it, legs of the walk that do cross are swapped if they are noisy.
    max_twisted: float = 2.0
    # Person sizes; width of hips, shoulders, knees and ankles in the image from which
    # their direction counts fully. Results stay from 0.5 to 2 of it.
    min_width: float = 0.06
    # Person sizes; standard deviation of a keypoint. Half of it changes 4 frames of the
    # dance, double misses 22 of its 24 copies and a sixth of the made swaps.
    noise: float = 0.006
    # Person sizes / s^2; standard deviation of a joint's acceleration. Half of it
    # changes 4 frames of the dance, double misses 22 of its 24 copies.
    acceleration: float = 4.0
    # Person sizes; largest distance of a joint from its copy. Half of it, or double,
    # changes 6 and 1 frames of the dance.
    max_copy_distance: float = 0.08
    # Seconds; longest copy, as forearms side by side overlap for longer. Results stay
    # from 1 to 1.4 of it. 0.75 misses 14 copies in the dance; double hides forearms of
    # a walker in profile, .013 of the real arms of one model.
    max_copy_duration: float = 0.4
    # Cost of the start, and of the end, of a copy. Half of it loses .002 of the real
    # arms, double misses 23 of 24 copies in the dance.
    copied: float = 4.0
    # Cost of a frame in which an occluded joint moves in an unknown way. Half of it
    # loses .002 of the real arms, double misses 22 of 24 copies in the dance.
    occluded: float = 1.0
    chunk_frames: int = 64  # frames computed at once; higher values need more memory


_COSTS = SwapCosts()
# Joint pairs that show the motion of a part. Further ones, such as fingers, toes and
# the face, add nothing.
_COMPARED_PAIRS = 2
_Pairs = list[tuple[int, int]]  # pairs of a left and a right joint


@cache
def _parts_of(name: str) -> dict[tuple[str, bool], _Pairs]:
    """Group the left/right pairs of a skeleton that are swapped together.

    Returns:
        dict[tuple[str, bool], _Pairs]: Joint pairs by limb ('arm', 'head' or 'leg') and
        whether they are at the elbow or knee, or beyond. Joints that are not part of an
        arm or a leg belong to the head.
    """
    skeleton = get_skeleton(name)
    parts: dict[tuple[str, bool], _Pairs] = {}
    for pair in skeleton.flip_pairs:
        limb = ''
        is_far = False
        joint = pair[0]
        # Joints without a counterpart, as the middle of the hips, end the search.
        while joint >= 0 and joint != skeleton.flip_indices[joint] and not limb:
            part = skeleton.joints[joint].rpartition('_')[2]
            limb = {'hip': 'leg', 'shoulder': 'arm'}.get(part, '')
            is_far |= part in ('knee', 'elbow')
            joint = skeleton.parents[joint]
        key = (limb, is_far) if limb else ('head', False)
        parts.setdefault(key, []).append(pair)
    return dict(sorted(parts.items()))


@dataclass(frozen=True, kw_only=True)
class RepairSides(KeypointStep):
    """Step ``sides``: exchange left and right where they are swapped.

    Arms, legs, heads, or only forearms and shins are exchanged, to agree with most
    frames of a track. Where both forearms are detected in one place, the occluded one
    becomes missing if keypoints have scores.
    """

    name = 'sides'
    of_people = True

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Undo swaps, and drop copies, in a clip with any skeleton."""
        tracks = []
        skeleton = get_skeleton(clip.skeleton)
        exchanged = np.zeros(len(clip.tracks), int)
        scores = np.concatenate([track.scores.ravel() for track in clip.tracks])
        is_rated = len(np.unique(scores[scores > 0])) > 1
        for index, track in enumerate(clip.tracks):
            seconds = clip.times_of(track.frames)
            rated = replace(track, scores=clip.confidences[index])
            swapped = find_swaps(rated, clip.skeleton, seconds)
            hidden = np.zeros_like(swapped)
            if is_rated:  # Without scores, 1.7 % of rendered arms would be dropped.
                rated = exchange_joints(rated, swapped, skeleton)
                again, hidden = find_copies(rated, clip.skeleton, seconds)
                swapped ^= again
            track = exchange_joints(track, swapped, skeleton)
            tracks.append(remove_joints(track, hidden))
            exchanged[index] = swapped.any(1).sum()
        if exchanged.any():
            names = [f'person {track.track}' for track in tracks]
            _LOGGER.info(
                ArgumentError(
                    '%s: left and right are exchanged where motion shows that they '
                    'were confused (frames: %s); {without=%r} keeps them',
                    clip.source or clip.name,
                    list_frames(names, exchanged),
                    self.name,
                )
            )
        return replace(clip, tracks=tracks)


def joints_of_limbs(skeleton: str, limbs: Container[str]) -> list[int]:
    """Return the indices of the left and right joints of 'leg', 'arm' or 'head'."""
    parts = _parts_of(skeleton).items()
    return [x for (limb, _), pairs in parts if limb in limbs for x in chain(*pairs)]


def exchange_joints(track: Track2D, swapped: np.ndarray, skeleton: Skeleton) -> Track2D:
    """Exchange the joints marked in ``swapped`` (T, K) with their counterparts."""
    mirror = skeleton.flip_indices
    points = track.keypoints
    points = np.where(swapped[..., None], points[:, mirror], points)
    scores = np.where(swapped, track.scores[:, mirror], track.scores)
    return replace(track, keypoints=points, scores=scores)


def remove_joints(track: Track2D, removed: np.ndarray) -> Track2D:
    """Make the joints marked in ``removed`` (T, K) missing."""
    points = np.where(removed[..., None], np.nan, track.keypoints)
    scores = np.where(removed, 0, track.scores)
    return replace(track, keypoints=points, scores=scores)


def find_swaps(track: Track2D, skeleton: str, seconds: np.ndarray) -> np.ndarray:
    """Find joints that are swapped with their counterpart on the other side.

    Args:
        track (Track2D): Keypoints of one person; scores are used as weights.
        skeleton (str): Name of the keypoints' skeleton.
        seconds (np.ndarray): Time of each frame in seconds, (T,).

    Returns:
        np.ndarray: Joints that are swapped, (T, K) bool.

    Example:
        The legs of a person who moves to the right by 3 pixels a frame have exchanged
        their names in three of thirty frames.

        >>> legs = [11, 13, 15, 12, 14, 16]  # left hip to ankle, right hip to ankle
        >>> frames = np.arange(30)
        >>> points = np.full((30, 17, 2), np.nan)
        >>> points[:, legs, 0] = [100, 100, 100, 140, 140, 140] + 3 * frames[:, None]
        >>> points[:, legs, 1] = [0, 50, 100, 0, 50, 100]
        >>> points[10:13, legs] = points[10:13, legs[3:] + legs[:3]]
        >>> track = Track2D(0, frames, points, np.ones((30, 17)))
        >>> find_swaps(track, 'coco-17', frames / 25)[:, legs].all(1).nonzero()
        (array([10, 11, 12]),)
    """
    parts = _parts_of(skeleton)
    swapped = np.zeros(track.scores.shape, bool)
    visible = np.isfinite(track.keypoints).all(-1)
    if len(seconds) < 3 or not parts or not visible.any():
        return swapped
    motion = _Motion(track, seconds)
    states = _LimbStates(parts)
    single = motion.swapped * states.num_swapped + _twists(parts, states, motion.points)
    changes = [motion.change_costs(pairs) for pairs in parts.values()]
    motions = partial(states.motion_costs, np.concatenate(changes, 1))
    path = _most_probable(states.change_costs(), single, motions())
    found = states.swapped[path]
    if found.any():
        # Only what is found again at a higher cost is swapped.
        is_far = states.swapped[:, [far for _, far in parts]].any(1)
        edges = np.flatnonzero(np.diff(path > 0, prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2):
            single[start:stop, is_far] += _COSTS.min_gain / (stop - start)
        path = _most_probable(states.change_costs(), single, motions())
        found &= states.swapped[path]
    for part, pairs in enumerate(parts.values()):
        swapped[:, np.ravel(pairs)] = found[:, part, None]
    return swapped


class _LimbStates:
    """States of a body: all combinations of swapped parts.

    Attributes:
        swapped (np.ndarray): Whether each part is swapped in each state, (S, P) bool.
            The first state has no swap.
        num_swapped (np.ndarray): Number of swapped limbs in each state, (S,). A limb
            counts even if only its far part is swapped.
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

        Each limb that changes costs the same. The whole body costs as much as one limb.
        """
        is_even = self.swapped.all(-1) | ~self.swapped.any(-1)
        is_whole = self._differs.all(-1) & is_even
        limbs = (self._differs @ self._is_of_limb).sum(-1)
        return _COSTS.change * np.where(is_whole, 1, limbs)

    def motion_costs(self, part_costs: np.ndarray) -> Iterator[np.ndarray]:
        """Generate costs (S, S, S) of the states in three consecutive frames.

        Args:
            part_costs (np.ndarray): :meth:`_Motion.change_costs` of all parts,
                (T - 2, 4 P).
        """
        # The kind of change of each part, one-hot, (4 P, S ** 3). Example with two
        # parts: in the states 01, 01, 11 the first part changes after the second frame
        # (kind 1), and the second part never changes (kind 0).
        kinds = 2 * self._differs[:, :, None] + self._differs
        count, parts = self.swapped.shape
        changes = (kinds[..., None] == range(4)).reshape(-1, 4 * parts).T
        changes = changes.astype(np.float64)
        for start in range(0, len(part_costs), _COSTS.chunk_frames):
            chunk = part_costs[start : start + _COSTS.chunk_frames]
            yield from (chunk @ changes).reshape(-1, count, count, count)


class _Motion:
    """Motion of a track's joints in person sizes, and its cost.

    Attributes:
        points (np.ndarray): Keypoints in person sizes, (T, K, 2); missing ones are
            interpolated.
        swapped (float): Cost of a frame in which a limb is swapped.
    """

    def __init__(self, track: Track2D, seconds: np.ndarray) -> None:
        steps = np.diff(seconds)
        self.swapped = _COSTS.swapped * float(np.median(steps))
        is_seen = np.isfinite(track.keypoints).all(-1)
        visible = track.keypoints[is_seen.any(1)]
        boxes = np.nanmax(visible, 1) - np.nanmin(visible, 1)
        size = max(float(np.median(boxes.max(1))), 1.0)
        points = interpolate_missing(track.keypoints.astype(np.float64), seconds)
        self.points = points / size
        self._weights = np.where(is_seen, track.scores.clip(0, 1), 0)
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
        from the position that constant velocity predicts, in each three consecutive
        frames.

        Returns:
            tuple[np.ndarray, np.ndarray]: Costs (T - 2, 2, 2, 2), indexed by whether
            sides change before the second frame, whether they change after it, and the
            side in it; and weights (T - 2,).
        """
        sides = self.points[:, pair]
        costs = np.empty((len(sides) - 2, 2, 2, 2))
        for before, after in np.ndindex(2, 2):
            first = sides[:-2, ::-1] if before else sides[:-2]
            last = sides[2:, ::-1] if after else sides[2:]
            here = sides[1:-1]
            error = last - here - self._ratio[:, None] * (here - first)
            squares = (error**2).sum(-1) / self._variance[:, None]
            costs[:, before, after] = np.log1p(squares)
        weight = self._weights[:, pair].min(1)
        return costs, weight[2:] * weight[1:-1] * weight[:-2]

    def change_costs(self, pairs: _Pairs) -> np.ndarray:
        """Compute the cost of a part's motion by four kinds of change, (T - 2, 4).

        Kind 2 is a swap before the second of three frames, kind 1 a swap after it, 3
        both, and 0 neither.
        """
        weighted = [
            weight[:, None] * costs.sum(-1).reshape(-1, 4)
            for costs, weight in map(self.pair_costs, pairs[:_COMPARED_PAIRS])
        ]
        return np.sum(weighted, axis=0)


# The six states of a copy: whether left and right are exchanged, and which side is
# occluded
_NEITHER = 2
_EXCHANGED, _OCCLUDED = np.array(
    [(exchanged, side) for side in (_NEITHER, 0, 1) for exchanged in (0, 1)]
).T


def find_copies(
    track: Track2D, skeleton: str, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find copies: forearms that are both detected on the visible one.

    A copy begins and ends with a jump of the occluded limb, or of both limbs if the
    visible one has the other's name. Limbs that really overlap part smoothly.

    Args:
        track (Track2D): Keypoints of one person; scores are used as weights.
        skeleton (str): Name of the keypoints' skeleton.
        seconds (np.ndarray): Time of each frame in seconds, (T,).

    Returns:
        tuple[np.ndarray, np.ndarray]: Joints to exchange with their counterparts, and
        joints that are occluded after that, both (T, K) bool.

    Example:
        Forearms that are 40 pixels apart are both detected on the left one in frame 3.

        >>> arms = [7, 9, 8, 10]  # left elbow and wrist, right elbow and wrist
        >>> points = np.full((8, 17, 2), np.nan)
        >>> points[:, arms] = [[100, 50], [100, 100], [140, 50], [140, 100]]
        >>> points[3, arms[2:]] = points[3, arms[:2]]
        >>> track = Track2D(0, np.arange(8), points, np.ones((8, 17)))
        >>> _, occluded = find_copies(track, 'coco-17', np.arange(8) / 25)
        >>> np.argwhere(occluded).tolist()
        [[3, 8], [3, 10]]
    """
    swapped = np.zeros(track.scores.shape, bool)
    hidden = swapped.copy()
    pairs = _parts_of(skeleton).get(('arm', True), [])
    is_seen = np.isfinite(track.keypoints).all(-1)
    if len(seconds) < 3 or not pairs or not is_seen.any():
        return swapped, hidden
    motion = _Motion(track, seconds)
    # In a copy the visible limb has both names, and may leave it with either one: the
    # change of sides is free there.
    change = np.where(_OCCLUDED == _NEITHER, _COSTS.change, 0)
    change = change * (_EXCHANGED[:, None] != _EXCHANGED)
    is_same_side = _OCCLUDED[:, None] == _OCCLUDED
    change = np.where(is_same_side, change, _COSTS.copied)
    is_near = _near_pairs(motion.points[:, pairs], seconds)
    if not is_near.any():
        return swapped, hidden
    single = motion.swapped * np.tile(_EXCHANGED, (len(seconds), 1))
    is_apart = ~is_near[:, :_COMPARED_PAIRS].any(1)
    single[np.ix_(is_apart, _OCCLUDED != _NEITHER)] = np.inf
    of_pairs = [motion.pair_costs(pair) for pair in pairs[:_COMPARED_PAIRS]]
    path = _most_probable(change, single, _copy_costs(of_pairs, is_near))
    occluded = _OCCLUDED[path]
    if (occluded != _NEITHER).any():
        for pair, is_copied in zip(pairs, is_near.T, strict=True):
            swapped[:, pair] = _EXCHANGED[path, None] > 0
            hidden[:, pair] = (occluded == [[0], [1]]).T & is_copied[:, None]
    return swapped, hidden


def _near_pairs(points: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Mark left and right joints in one place, (T, P), for as long as a copy may last.

    ``points`` (T, P, 2, 2) are the positions of both joints in person sizes.
    """
    distances = np.linalg.norm(points[:, :, 0] - points[:, :, 1], axis=-1)
    is_near = distances < _COSTS.max_copy_distance
    edges = np.diff(is_near.any(1), prepend=False, append=False)
    for start, stop in np.flatnonzero(edges).reshape(-1, 2):
        if seconds[stop - 1] - seconds[start] > _COSTS.max_copy_duration:
            is_near[start:stop] = False
    return is_near


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
    of_pairs: list[tuple[np.ndarray, np.ndarray]], is_near: np.ndarray
) -> np.ndarray:
    """Compute costs of motion by the states of a copy in three frames.

    Args:
        of_pairs (list[tuple[np.ndarray, np.ndarray]]): Costs and weights of each pair
            of joints, see :meth:`_Motion.pair_costs`.
        is_near (np.ndarray): Whether both joints of a pair are in one place, (T, P).

    Returns:
        np.ndarray: Costs (T - 2, S, S, S). The motion of an occluded joint is unknown,
        and has a constant cost.
    """
    count = len(_OCCLUDED)
    total = np.zeros((len(is_near) - 2, count, count, count))
    changes = _EXCHANGED[:, None] ^ _EXCHANGED
    for (costs, weight), near in zip(of_pairs, is_near.T, strict=False):
        for side in (0, 1):
            absent = near[:, None] & (side == _OCCLUDED)
            start, here, end = absent[:-2], absent[1:-1], absent[2:]
            is_hidden = start[:, :, None, None] | here[:, None, :, None]
            is_hidden = is_hidden | end[:, None, None]
            detected = (side ^ _EXCHANGED)[None, :, None]
            moves = costs[:, changes[:, :, None], changes[None], detected]
            moves = np.where(is_hidden, _COSTS.occluded, moves)
            total += weight[:, None, None, None] * moves
    # A copy lasts as long as the joints are near each other: the occluded side cannot
    # change before.
    lasts = is_near[1:-1].any(1) & is_near[2:].any(1)
    total[lasts] += np.where(_OCCLUDED[:, None] != _OCCLUDED, np.inf, 0)
    return total


def _twists(
    parts: dict[tuple[str, bool], _Pairs], states: _LimbStates, points: np.ndarray
) -> np.ndarray:
    """Compute costs (T, S) of states in which parts of the body face opposite ways.

    Hips are compared with shoulders, and with knees and ankles. What a track without
    swaps costs is scaled to ``max_twisted`` at most, as people do twist and cross their
    legs. ``points`` (T, K, 2) are in person sizes.
    """
    costs = np.zeros((len(points), len(states.swapped)))
    swapped = dict(zip(parts, states.swapped.T, strict=True))
    hips = ('leg', False)
    for part in ('arm', False), ('leg', True):
        if not {hips, part} <= {*parts}:
            continue
        cosines = [
            _cosines(points, parts[hips][0], pair)
            for pair in parts[part][:_COMPARED_PAIRS]
        ]
        opposite = swapped[part] != swapped[hips]
        signs = np.where(opposite, -1, 1)
        opposed = np.mean([(-x[:, None] * signs).clip(0) for x in cosines], axis=0)
        total = _COSTS.twisted * opposed[:, 0].sum()
        limit = _COSTS.max_twisted / max(total, _COSTS.max_twisted)
        costs += _COSTS.twisted * np.where(opposite, 1, limit) * opposed
    return costs


def _cosines(
    points: np.ndarray, first: tuple[int, int], second: tuple[int, int]
) -> np.ndarray:
    """Return cosines (T,) of the angles between two lines from right to left joints.

    They tend to 0 where a line is short, as its direction is uncertain there.
    """
    lines = [points[:, left] - points[:, right] for left, right in (first, second)]
    widths = [np.linalg.norm(line, axis=-1) for line in lines]
    cosines = (lines[0] * lines[1]).sum(-1) / (widths[0] * widths[1]).clip(1e-9)
    return cosines * (np.minimum(*widths) / _COSTS.min_width).clip(0, 1)
