"""Limbs that turn faster than people do, filled in from the frames around them."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import part_of
from mmhot.state import State, Step
from mmhot.structures.clips import Clip3D


@dataclass(frozen=True)
class TurnLimits:
    """Speeds of bones in degrees per second, by the joint at their end.

    One frame in 100,000 of motion capture is faster, see
    ``tools/analysis/measure_turns.py``.
    """

    elbow: float = 1032.0
    wrist: float = 1271.0
    knee: float = 1115.0
    foot: float = 1203.0


def find_steady(bones: np.ndarray, seconds: np.ndarray, speed: float) -> np.ndarray:
    """Find the most frames (T,) among which a bone turns at most at a speed.

    Of the two sides of a jump the shorter one is left out, or the frames around the
    jump if both are long. Bones are unit vectors (T, 3), the speed degrees per second.
    """
    steps = np.degrees(np.arccos((bones[1:] * bones[:-1]).sum(-1).clip(-1, 1)))
    if (steps <= speed * np.diff(seconds)).all():
        return np.ones(len(bones), bool)
    counts, before = np.ones(len(bones), int), np.full(len(bones), -1)
    # any turn is possible in half of this time
    begin = np.searchsorted(seconds, seconds - 2 * 180 / speed)
    for frame in range(1, len(bones)):
        earlier = np.arange(min(begin[frame], frame - 1), frame)[::-1]
        turns = np.degrees(np.arccos((bones[earlier] @ bones[frame]).clip(-1, 1)))
        is_possible = turns <= speed * (seconds[frame] - seconds[earlier])
        if is_possible.any():
            earlier = earlier[is_possible]
            before[frame] = earlier[counts[earlier].argmax()]
            counts[frame] += counts[before[frame]]
    steady, frame = np.zeros(len(bones), bool), int(counts.argmax())
    while frame >= 0:
        steady[frame] = True
        frame = before[frame]
    return steady


def turn_between(
    bones: np.ndarray, steady: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Turn unit vectors (T, 3) at constant speed between steady frames (T,)."""
    times, units = seconds[steady], bones[steady]
    place = np.interp(seconds, times, np.arange(len(times)))
    before = place.astype(int)
    share, first = place - before, units[before]
    last = units[(before + 1).clip(max=len(units) - 1)]
    angle = np.arccos((first * last).sum(-1).clip(-1, 1)).clip(1e-6)
    weights = np.sin([(1 - share) * angle, share * angle])[..., None]
    return unit_vectors(weights[0] * first + weights[1] * last)


@dataclass(frozen=True, kw_only=True)
class LimitTurns(Step):
    """Step ``turns``: limbs that turn faster than people do are filled in."""

    name, of_people = 'turns', True

    limits: TurnLimits = TurnLimits()

    def __call__(self, state: State) -> State:
        """Turn limbs back, whose score is then 0."""
        clip = state.clip_3d()
        limited = self.limit(clip)
        return state if limited is clip else replace(state, poses=limited)

    def limit(self, clip: Clip3D) -> Clip3D:
        """Return a clip without such turns, or the same one if there are none."""
        poses, scores = clip.keypoints_3d.copy(), clip.keypoint_scores_3d.copy()
        speeds, is_changed = asdict(self.limits), False
        parts = [part_of(name) for name in clip.joint_names]
        for rows in clip.stretches():
            seconds = clip.seconds(clip.frame[rows])
            for joint in (x for x, part in enumerate(parts) if part in speeds):
                bones = poses[rows, joint] - poses[rows, clip.parents[joint]]
                lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
                units = unit_vectors(bones)
                steady = find_steady(units, seconds, speeds[parts[joint]])
                if steady.all():
                    continue
                moved = lengths * turn_between(units, steady, seconds) - bones
                outer = [x for x in range(len(parts)) if _hangs_from(clip, x, joint)]
                poses[np.ix_(rows[~steady], outer)] += moved[~steady, None]
                scores[rows[~steady], joint] = 0
                is_changed = True
        if not is_changed:
            return clip
        return replace(clip, keypoints_3d=poses, keypoint_scores_3d=scores)


def _hangs_from(clip: Clip3D, joint: int, other: int) -> bool:
    """Return whether a joint is another one, or farther from the root than it."""
    while joint not in (other, -1):
        joint = clip.parents[joint]
    return joint == other
