"""Left/right swaps and copies in 2D keypoints, found over whole tracks.

The Viterbi algorithm finds the most probable sequence of swap states of a person's
legs, arms and head: joints move at a nearly constant velocity, hips and shoulders face
the same way, and swaps are rare. A second search finds where both forearms, or both
shins, are on one of them, as the other is occluded.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

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

    Twists alone must cost less than a swap, as people do twist.
    """

    change: float = 2.5  # of a swap that begins or ends
    swapped: float = 2.5  # of each second in which a limb is swapped
    twisted: float = 1.0  # of a frame in which hips and shoulders face other ways
    max_twisted: float = 2.0  # of all such frames of a track
    width: float = 0.06  # of hips and shoulders that show a direction, person sizes
    noise: float = 0.006  # standard deviation of a keypoint, person sizes
    acceleration: float = 4.0  # its standard deviation, person sizes / s^2
    missing: float = 0.05  # weight of missing keypoints
    unrated: float = 0.4  # factor of all weights if a clip has no scores
    near: float = 0.08  # distance of a joint from its copy, at most, person sizes
    longest: float = 0.8  # of a copy, seconds: legs side by side overlap for longer
    copied: float = 4.0  # of a copy that begins or ends
    hidden: float = 1.0  # of the motion of a joint that is occluded, each frame
    chunk: int = 64  # frames at once


_COSTS = SwapCosts()
_Pairs = list[tuple[int, int]]  # of a left and a right joint


@cache
def _parts_of(name: str) -> dict[tuple[str, bool], _Pairs]:
    """Return the joints of a skeleton that are swapped together.

    Keys are arm, head or leg, and whether joints are beyond the elbow or knee.
    """
    skeleton, parts = get_skeleton(name), dict[tuple[str, bool], _Pairs]()
    for pair in skeleton.flip_pairs:
        limb, is_far, joint = '', False, pair[0]
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
    """Step ``sides``: left and right exchanged where they are swapped.

    Arms, legs and heads are exchanged, forearms and shins alone, or all of them. The
    sides that a track has in most frames stay. Where both forearms or both shins are on
    one of them, the other is missing.
    """

    name, of_people = 'sides', True

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Exchange limbs back, and drop copies, in a clip of any skeleton."""
        tracks, exchanged, copied = [], 0, 0
        every = np.concatenate([track.scores.ravel() for track in clip.tracks])
        is_rated = len(np.unique(every[every > 0])) > 1
        for track, confidence in zip(clip.tracks, clip.confidences, strict=True):
            seconds = clip.times_of(track.frames)
            factor = 1 if is_rated else _COSTS.unrated
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
                '%s: no scores; left and right are exchanged in %d frames, and limbs '
                'missing in %d, by motion'
            )
            source = escape(clip.source or clip.name)
            _LOGGER.warning(text, source, exchanged, copied)
        return replace(clip, tracks=tracks)


def _exchanged(track: Track2D, swapped: np.ndarray, skeleton: str) -> Track2D:
    """Exchange joints (T, K) with their counterparts."""
    mirror, points = get_skeleton(skeleton).flip_indices, track.keypoints
    points = np.where(swapped[..., None], points[:, mirror], points)
    scores = np.where(swapped, track.scores[:, mirror], track.scores)
    return replace(track, keypoints=points, scores=scores)


def find_swaps(track: Track2D, skeleton: str, seconds: np.ndarray) -> np.ndarray:
    """Find joints that are swapped with their counterpart, (T, K), at seconds (T,)."""
    parts = _parts_of(skeleton)
    swapped = np.zeros(track.scores.shape, bool)
    visible = np.isfinite(track.keypoints).all(-1)
    if len(seconds) < 3 or not parts or not visible.any():
        return swapped
    motion = _Motion(track, seconds)
    # all combinations of swapped parts, (S, P); the first has no swap
    states = np.indices([2] * len(parts)).reshape(len(parts), -1).T.astype(bool)
    limbs = [limb for limb, _ in parts]
    is_of_limb = np.array(limbs)[:, None] == sorted({*limbs})
    # each limb that changes costs the same, but all of them together as much as one
    differs = states[:, None] ^ states
    is_whole = differs.all(-1) & (states.all(-1) | ~states.any(-1))
    change = _COSTS.change * np.where(is_whole, 1, (differs @ is_of_limb).sum(-1))
    single = motion.swapped * (states @ is_of_limb).sum(-1)
    single = single + _twists(parts, states, motion.points)
    # whether parts change before and after the second of three frames, (4 P, S ** 3):
    # from state 01 of two parts by 01 to 11, the first changes after it (kind 1), and
    # the second does not (kind 0)
    kinds = 2 * differs[:, :, None] + differs
    changes = (kinds[..., None] == range(4)).reshape(-1, 4 * len(parts)).T
    changes, shape = changes.astype(np.float64), (-1, *[len(states)] * 3)
    turns = []
    for pairs in parts.values():
        # fingers, toes and landmarks of faces add nothing
        of_pairs = map(motion.pair_costs, pairs[:2])
        sums = (weight[:, None] * x.sum(-1).reshape(-1, 4) for x, weight in of_pairs)
        turns.append(sum(sums))
    turn_costs = np.concatenate(turns, 1)
    # one chunk after the other, for the memory of long clips
    chunks = np.split(turn_costs, range(_COSTS.chunk, len(turn_costs), _COSTS.chunk))
    motions = ((chunk @ changes).reshape(shape) for chunk in chunks)
    path = _most_probable(change, single, chain.from_iterable(motions))
    for part, pairs in enumerate(parts.values()):
        swapped[:, np.ravel(pairs)] = states[path, part, None]
    return swapped


class _Motion:
    """Motion of a track's joints in person sizes, and what it costs.

    Attributes:
        points (np.ndarray): Complete keypoints, (T, K, 2).
        swapped (float): Cost of a frame in which a limb is swapped.
    """

    def __init__(self, track: Track2D, seconds: np.ndarray) -> None:
        steps = np.diff(seconds)
        self.swapped = _COSTS.swapped * float(np.median(steps))
        is_seen = np.isfinite(track.keypoints).all(-1)
        self.points = interpolate_missing(track.keypoints.astype(np.float64), seconds)
        # the median over frames of the longer side around keypoints
        visible = track.keypoints[is_seen.any(1)]
        boxes = np.nanmax(visible, 1) - np.nanmin(visible, 1)
        self.points /= max(float(np.median(boxes.max(1))), 1.0)
        weights = np.clip(track.scores, _COSTS.missing, 1)
        self._weights = np.where(is_seen, weights, _COSTS.missing)
        # variance of a position that the velocity before predicts
        steps = steps.clip(1e-3)
        self._ratio = (steps[1:] / steps[:-1])[:, None]
        moved = _COSTS.acceleration * steps[1:] * (steps[1:] + steps[:-1]) / 2
        ratio = self._ratio[:, 0]
        noise = _COSTS.noise**2 * (1 + (1 + ratio) ** 2 + ratio**2)
        self._variance = noise + moved**2

    def pair_costs(self, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return costs of a left and a right joint, and weights (T - 2,).

        The negative logarithm of a heavy-tailed (Cauchy) density of the distance from
        the predicted position: (T - 2, 2, 2, 2), by whether sides change before and
        after the second frame, and by the side in it.
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


# Whether left and right are exchanged, and which side is occluded (2: none).
_COPIES = np.array([(turn, side) for side in (2, 0, 1) for turn in (0, 1)])


def find_copies(
    track: Track2D, skeleton: str, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find forearms and shins of which both are on one, at seconds (T,).

    Both sides of such a copy begin or end with a jump, in one of them or, if the
    occluded one is found under the other's name, in both. Limbs that do overlap part
    at the speed of limbs. Returns joints to exchange with their counterparts, and those
    that are then occluded, (T, K) bool.
    """
    swapped, hidden = (np.zeros(track.scores.shape, bool) for _ in range(2))
    if len(seconds) < 3 or not np.isfinite(track.keypoints).all(-1).any():
        return swapped, hidden
    motion, (turns, sides) = _Motion(track, seconds), _COPIES.T
    # the visible limb has both names in a copy, and either one after it
    change = np.where(sides < 2, 0, _COSTS.change) * (turns[:, None] != turns)
    change = np.where(sides[:, None] == sides, change, _COSTS.copied)
    for pairs in (x for (_, is_far), x in _parts_of(skeleton).items() if is_far):
        first, last = np.moveaxis(motion.points[:, pairs], 2, 0)
        is_near = np.linalg.norm(first - last, axis=-1) < _COSTS.near
        edges = np.diff(is_near.any(1), prepend=False, append=False)
        for start, stop in np.flatnonzero(edges).reshape(-1, 2):
            if seconds[stop - 1] - seconds[start] > _COSTS.longest:
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
    """Return the most probable states (T,) by a Viterbi search of second order.

    Costs are of a change between states (S, S), of the state in each frame (T, S), and
    of the states in each three frames, T - 2 times (S, S, S).
    """
    length, count = single.shape
    # by the states of the last two frames; a track that begins swapped has changed, too
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
    """Return costs of motion by the states of copies in three frames, (T', S, S, S).

    Facts are costs and weights of pairs, which are near each other or not, (T, P). An
    occluded joint's motion is not known.
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
            moves = np.where(early | end[:, None, None], _COSTS.hidden, moves)
            total += weight[:, None, None, None] * moves
    # a copy lasts as long as joints are near each other
    lasts = is_near[1:-1].any(1) & is_near[2:].any(1)
    total[lasts] += np.where(sides[:, None] != sides, np.inf, 0)
    return total


def _twists(
    parts: dict[tuple[str, bool], _Pairs], states: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Return costs (T, S) of hips and shoulders that face opposite ways.

    No sequence of states avoids more than the limit.
    """
    keys = ('arm', False), ('leg', False)
    if not {*keys} <= {*parts}:
        return np.zeros((len(points), len(states)))
    pairs = [parts[key][0] for key in keys]
    lines = [points[:, left] - points[:, right] for left, right in pairs]
    widths = [np.linalg.norm(line, axis=-1) for line in lines]
    cosine = (lines[0] * lines[1]).sum(-1) / (widths[0] * widths[1]).clip(1e-9)
    cosine *= (np.minimum(*widths) / _COSTS.width).clip(0, 1)
    first, second = states[:, [[*parts].index(key) for key in keys]].T
    signs = np.where(first == second, 1, -1)
    total = _COSTS.twisted * (-cosine).clip(0).sum()
    limit = _COSTS.max_twisted / max(total, _COSTS.max_twisted)
    return _COSTS.twisted * limit * (-cosine[:, None] * signs).clip(0)
