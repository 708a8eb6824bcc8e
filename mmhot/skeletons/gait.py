"""Gait of people who walk: foot contacts, lift-offs, strides and mean cycles.

A foot touches the ground where it is farthest in front of the pelvis, and leaves it
where it is farthest behind (Zeni et al. 2008,
https://doi.org/10.1016/j.gaitpost.2007.07.007). A stride is the time from a contact of
a foot to its next one, and a step the time from there to the contact of the other foot.

Lengths are distances between contacts of the feet. On a treadmill, or where the path of
the root is unknown, they are distances between the ankles at a contact, which are a
seventh shorter as the rear foot rolls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy  # its modules are loaded at first use

SIDES = 'left', 'right'


@dataclass(frozen=True)
class GaitLimits:
    """Thresholds for walking, chosen on CMU's subjects 07 and 08 at 25 frames/s.

    Ranges are those of 17 walks of CMU with 35 strides, as they are, with noise of 1 cm
    and in place, of 18 lifted walks with 32 strides, and of 25 runs with one.
    """

    # Seconds; standard deviation of a Gaussian over positions. Half of it changes step
    # lengths by 2 cm, double finds 28 of 35 strides.
    smoothing: float = 0.05
    # Seconds; standard deviation of a Gaussian over the pelvis's direction. 0.5 to 2 of
    # it change step lengths by 5 mm, 10 of it 9 mm.
    heading_smoothing: float = 0.5
    # Meters; movement of a foot between its foremost and rearmost positions, relative
    # to the root. Half of it finds 39 strides, double 28.
    min_swing: float = 0.2
    # Seconds; shortest and longest time between the contacts of both feet. Half of both
    # finds 26 strides, double 24.
    step_time: tuple[float, float] = (0.25, 1.2)
    # Smallest and largest share of a stride in which the foot is on the ground. Half of
    # both finds none, double 6.
    stance: tuple[float, float] = (0.35, 0.85)
    # Median of that share; people with less run, as they never have both feet on the
    # ground. It is 0.58 to 0.66 in CMU's walks and 0.49 to 0.51 in its runs.
    min_walking_stance: float = 0.54
    # Meters; median fall of the hips between contacts. People with more run.
    # Over a standing leg they rise, in CMU's walks by up to 0.07, or fall by up to
    # 0.014; in its runs they fall by 0.014 to 0.09.
    max_fall: float = 0.016
    # Meters per second; mean speed of an ankle from contact to lift-off. No stride of
    # CMU's walks exceeds 0.6. Half of it finds 27 strides; without it runs have four.
    max_slide: float = 0.8
    # Contacts of alternating feet in a row. Without it 17 walks with a foot that never
    # swings have 3 strides; double finds 13 of 35.
    min_contacts: int = 3
    # Median step times; if another contact of the same foot comes later, the contact of
    # the other foot was missed. 0 to 1 of it are equal; without it one of 18 strides is
    # two, in walks with a foot that rests for a second.
    max_same_foot: float = 1.5
    # Meters; height of an ankle at a contact above the lower one. 0.5 to 10 of it find
    # all strides of walks, half 31 of 32 lifted ones.
    max_height: float = 0.25
    # Median step in the world, as a share of the distance between the feet. People with
    # less walk in place. Half of it finds 32 of 35 strides in place, double all.
    max_in_place: float = 0.5
    # Share of a clip's time in which people on a treadmill walk: 8 of 17 with 35
    # strides; 13 with 0 to 0.5 of it, and none with double.
    min_walking: float = 0.6


_LIMITS = GaitLimits()


@dataclass(frozen=True)
class Stride:
    """One foot from a contact to its next one.

    Attributes:
        foot (str): 'left' or 'right'.
        contact (float): Time at which the foot touches the ground, seconds.
        lift_off (float): Time at which it leaves the ground, seconds.
        next_contact (float): Time at which it touches the ground again, seconds.
        step_time (float): Time until the contact of the other foot, seconds.
        step_length (float): Distance from this contact to the other foot's in walking
            direction, meters.
        step_width (float): The same distance across the walking direction, meters.
        stride_length (float): Distance from this contact to the foot's next one,
            meters.
        in_place (bool): Whether the root stays, or its path is unknown.
    """

    foot: str
    contact: float
    lift_off: float
    next_contact: float
    step_time: float
    step_length: float
    step_width: float
    stride_length: float
    in_place: bool

    @property
    def stride_time(self) -> float:
        """Time from a contact to the next one, seconds."""
        return self.next_contact - self.contact

    @property
    def speed(self) -> float:
        """Walking speed, meters per second."""
        return self.stride_length / self.stride_time

    @property
    def cadence(self) -> float:
        """Cadence, steps per minute."""
        return 120 / self.stride_time

    @property
    def stance(self) -> float:
        """Share of the stride in which the foot is on the ground."""
        return (self.lift_off - self.contact) / self.stride_time


def find_strides(
    poses: np.ndarray, root: np.ndarray, seconds: np.ndarray, names: Sequence[str]
) -> list[Stride]:
    """Find the strides of one person.

    Args:
        poses (np.ndarray): Joints relative to the root, in meters, z up, (T, K, 3).
        root (np.ndarray): Positions of the root in meters, z up, (T, 3); NaN where
            unknown.
        seconds (np.ndarray): Increasing timestamps, (T,).
        names (Sequence[str]): Names of the joints: Human3.6M's 17, or 24.

    Returns:
        list[Stride]: Strides, sorted by contact; empty if the person does not walk.
    """
    if len(seconds) < 3:
        return []
    contacts = _find_contacts(poses, root, seconds, names)
    runs = _steps_in_a_row(contacts.seconds, contacts.feet)
    return [stride for run in runs for stride in _strides_of(contacts, run)]


@dataclass(frozen=True)
class _Contacts:
    """Contacts of both feet (C,), sorted by time, and lift-offs of both feet (L,).

    Positions are in meters, and NaN where the path of the root is unknown.
    """

    seconds: np.ndarray  # time of each contact, (C,)
    feet: np.ndarray  # 0 left, 1 right, (C,)
    ahead: np.ndarray  # direction of the pelvis on the floor, unit vectors, (C, 2)
    path: np.ndarray  # positions of the root on the floor, (C, 2)
    falls: np.ndarray  # fall of the root between contacts, (C - 1,)
    ankles: np.ndarray  # left and right ankle, relative to the root, (C, 2, 2)
    lift_offs: np.ndarray  # time of each lift-off, (L,)
    lifted: np.ndarray  # left and right ankle at lift-offs, (L, 2, 2)


def _find_contacts(
    poses: np.ndarray, root: np.ndarray, seconds: np.ndarray, names: Sequence[str]
) -> _Contacts:
    """Find where feet near the ground are farthest ahead; see :func:`find_strides`."""
    step = float(np.median(np.diff(seconds)))
    times = np.arange(seconds[0], seconds[-1] + step / 2, step)
    ends = ('heel', 'big_toe') if 'left_heel' in names else ('foot', 'foot')
    joints = [f'{side}_{x}' for x in ('hip', 'foot', *ends) for side in SIDES]
    flat = poses[:, [names.index(name) for name in joints]].reshape(len(poses), -1)
    path = _resample(times, seconds, root)
    smooth = partial(scipy.ndimage.gaussian_filter1d, axis=0, mode='nearest')
    even = smooth(_resample(times, seconds, flat), _LIMITS.smoothing / step)
    hips, ankles, heels, toes = even.reshape(len(times), -1, 2, 3).swapaxes(0, 1)
    # The pelvis faces ahead, across the line between the hips.
    across = (hips[:, 0] - hips[:, 1])[:, :2]
    across = smooth(across, _LIMITS.heading_smoothing / step)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    ahead = np.stack([across[:, 1], -across[:, 0]], 1)
    heel, toe = ((x[..., :2] * ahead[:, None]).sum(-1).T for x in (heels, toes))
    foremost = [_peaks(side) for side in heel]
    lift_offs = np.concatenate([_peaks(-side) for side in toe])
    at = np.concatenate(foremost)
    feet = np.repeat([0, 1], [*map(len, foremost)])
    order = np.lexsort((feet, at))
    at = at[order]
    feet = feet[order]
    near = at.round().astype(int)
    heights = ankles[..., 2]
    is_low = (heights < heights.min(1, keepdims=True) + _LIMITS.max_height)[near, feet]
    near = near[is_low]
    left = lift_offs.round().astype(int)
    height = path[:, 2]
    middle = (near[1:] + near[:-1]) // 2
    return _Contacts(
        seconds=times[0] + at[is_low] * step,
        feet=feet[is_low],
        ahead=ahead[near],
        path=path[near, :2],
        falls=(height[near[1:]] + height[near[:-1]]) / 2 - height[middle],
        ankles=ankles[near][..., :2],
        lift_offs=times[0] + lift_offs * step,
        lifted=ankles[left][..., :2] + path[left, None, :2],
    )


def _resample(times: np.ndarray, seconds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate values (T, V), which are given at seconds (T,), at other times."""
    return np.column_stack([np.interp(times, seconds, column) for column in values.T])


def _strides_of(contacts: _Contacts, run: np.ndarray) -> list[Stride]:
    """Return the strides of a run of :func:`_steps_in_a_row`, rows of contacts (R,)."""
    detected = contacts.feet[run]
    when = contacts.seconds[run]
    landed = contacts.ankles[run, detected] + contacts.path[run]
    lengths, widths, in_place = _step_sizes(contacts, run)
    strides: list[Stride] = []
    for index, side in enumerate(_alternating(detected)[:-2]):
        start, end = when[[index, index + 2]]
        for row in _lift_offs_in(contacts, start, end)[-1:]:  # the last one, if any
            lift_off = contacts.lift_offs[row]
            way = np.linalg.norm(contacts.lifted[row, detected[index]] - landed[index])
            if not in_place and way > _LIMITS.max_slide * (lift_off - start):
                continue
            strides.append(
                Stride(
                    SIDES[side],
                    contact=float(start),
                    lift_off=float(lift_off),
                    next_contact=float(end),
                    step_time=float(when[index + 1] - start),
                    step_length=float(lengths[index]),
                    step_width=float(widths[index]),
                    stride_length=float(lengths[index] + lengths[index + 1]),
                    in_place=in_place,
                )
            )
    stance = np.median([x.stance for x in strides] or 0)
    fall = np.median(contacts.falls[run[:-1]])
    runs = stance < _LIMITS.min_walking_stance or fall > _LIMITS.max_fall
    return [] if runs else strides


def _step_sizes(
    contacts: _Contacts, run: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Measure the steps of a run, rows of contacts (R,).

    Returns:
        tuple[np.ndarray, np.ndarray, bool]: Lengths and widths in meters, (R - 1,)
        each, and whether the person walks in place.
    """
    detected = contacts.feet[run]
    ahead = contacts.ahead[run[1:]]
    landing = contacts.ankles[run, detected]
    steps = np.diff(landing + contacts.path[run], axis=0)
    apart = (landing - contacts.ankles[run, 1 - detected])[1:]
    lengths, between = (np.abs((x * ahead).sum(1)) for x in (steps, apart))
    # An unknown path (NaN) counts as walking in place, too.
    in_place = not np.median(lengths) > _LIMITS.max_in_place * np.median(between)
    if in_place:
        steps = apart
        lengths = between
    widths = np.abs(steps[:, 0] * ahead[:, 1] - steps[:, 1] * ahead[:, 0])
    return lengths, widths, in_place


def _alternating(detected: np.ndarray) -> np.ndarray:
    """Return alternating feet (R,) that agree with most detected ones.

    >>> _alternating(np.array([1, 0, 0, 0, 1])).tolist()
    [1, 0, 1, 0, 1]
    """
    sides = np.arange(len(detected)) % 2
    return sides if 2 * (sides == detected).sum() >= len(detected) else 1 - sides


def _lift_offs_in(contacts: _Contacts, start: float, end: float) -> np.ndarray:
    """Return the rows of a foot's lift-offs between two of its contacts.

    ``start`` and ``end`` are the seconds of the contacts. Lift-offs (L,) of the other
    foot are outside the limits of stance.
    """
    share = (contacts.lift_offs - start) / (end - start)
    low, high = _LIMITS.stance
    return np.flatnonzero((low < share) & (share < high))


def mean_cycle(
    strides: Sequence[Stride], seconds: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average angles over gait cycles, from a contact (0 %) to the next one (100 %).

    A cubic spline interpolates between frames, so that a low frame rate does not
    flatten peaks.

    Args:
        strides (Sequence[Stride]): At least two strides of one foot of a person.
        seconds (np.ndarray): Increasing timestamps of the person's frames, (T,).
        values (np.ndarray): Degrees, (T, A). Cycles may differ by whole turns.

    Returns:
        tuple[np.ndarray, np.ndarray]: Mean and sample standard deviation at 0, 1, ...,
        100 %, each (101, A).
    """
    turning = np.unwrap(values, axis=0, period=360)
    spline = scipy.interpolate.make_interp_spline(seconds, turning, check_finite=False)
    shares = np.linspace(0, 1, 101)
    cycles = np.stack([spline(x.contact + shares * x.stride_time) for x in strides])
    level = cycles.mean(1, keepdims=True)
    cycles -= 360 * np.round((level - level[0]) / 360)
    return cycles.mean(0), cycles.std(0, ddof=1)


def is_on_treadmill(strides: Sequence[Stride], seconds: np.ndarray) -> bool:
    """Return whether a person walks most of the time, and always in place.

    Args:
        strides (Sequence[Stride]): Strides of the person.
        seconds (np.ndarray): Increasing timestamps of the person's frames, (T,).
    """
    if not strides or not all(stride.in_place for stride in strides):
        return False
    walked = max(x.next_contact for x in strides) - min(x.contact for x in strides)
    return walked > _LIMITS.min_walking * (seconds[-1] - seconds[0])


def walking_direction(poses: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the mean direction that the pelvis faces.

    Args:
        poses (np.ndarray): Joints, z up, (T, K, 3).
        names (Sequence[str]): Names of the joints, 'left_hip' and 'right_hip' among
            them.

    Returns:
        np.ndarray: Unit vector x, y on the floor, (2,).
    """
    left, right = (poses[:, names.index(f'{side}_hip'), :2] for side in SIDES)
    across = (left - right).mean(0)
    return np.array([across[1], -across[0]]) / max(np.linalg.norm(across), 1e-9)


def _steps_in_a_row(contacts: np.ndarray, feet: np.ndarray) -> list[np.ndarray]:
    """Split contacts into runs at walking pace, rows of contacts.

    Feet alternate in at least a part of each run. In the rest, the 2D model may have
    confused left and right. ``contacts`` (C,) are seconds, and ``feet`` (C,) 0 or 1.
    """
    low, high = _LIMITS.step_time
    passed = np.diff(contacts)
    usual = passed[(low < passed) & (passed < high)]
    if not len(usual):
        return []
    is_same = np.diff(feet) == 0
    late = min(_LIMITS.max_same_foot * np.median(usual), high)
    is_apart = (passed <= low) | (passed >= np.where(is_same, late, high))
    runs = np.split(np.arange(len(feet)), np.flatnonzero(is_apart) + 1)
    kept = []
    for run in runs:
        ends = np.flatnonzero(np.diff(feet[run]) == 0)  # last ones of alternating parts
        if np.diff([-1, *ends, len(run) - 1]).max() >= _LIMITS.min_contacts:
            kept.append(run)
    return kept


def _peaks(values: np.ndarray) -> np.ndarray:
    """Return the frames of the prominent maxima of values (T,), with fractions, (M,).

    The parabola through a maximum and its neighbors gives the fraction.
    ``scipy.signal.find_peaks`` finds the same maxima, but its import adds half a second
    to each command that writes a page.
    """
    middle = values[1:-1]
    candidates = np.flatnonzero((values[:-2] < middle) & (middle > values[2:])) + 1
    is_high = [_prominence(values, x) >= _LIMITS.min_swing for x in candidates.tolist()]
    peaks = candidates[np.array(is_high, bool)]
    before, at, after = values[peaks - 1], values[peaks], values[peaks + 1]
    bend = np.minimum(before - 2 * at + after, -1e-9)
    return peaks + ((before - after) / (2 * bend)).clip(-0.5, 0.5)


def _prominence(values: np.ndarray, peak: int) -> float:
    """Measure the descent from a peak of values (T,) on the way to a higher one.

    >>> _prominence(np.array([0.0, 2.0, 1.0, 3.0, 0.5]), 1)
    1.0
    """
    higher = np.flatnonzero(~(values <= values[peak]))
    after = np.searchsorted(higher, peak)
    first = higher[after - 1] + 1 if after else 0
    last = higher[after] if after < len(higher) else len(values)
    valleys = values[first : peak + 1].min(), values[peak:last].min()
    return float(values[peak] - max(valleys))
