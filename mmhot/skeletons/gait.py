"""Gait of people who walk: foot contacts, lift-offs, steps and strides.

A foot touches the ground where it is farthest in front of the pelvis, and leaves it
where it is farthest behind (Zeni et al. 2008,
https://doi.org/10.1016/j.gaitpost.2007.07.007). Lengths are distances between contacts
of the feet; on a treadmill, or where the path of the root is unknown, those between
the ankles at a contact, which are a seventh shorter as the rear foot rolls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.geometry.windows import gaussian_mean

SIDES = 'left', 'right'


@dataclass(frozen=True)
class GaitLimits:
    """What counts as walking: chosen on CMU's subjects 07 and 08 at 25 frames/s."""

    smoothing: float = 0.05  # standard deviation of a Gaussian over positions, seconds
    heading: float = 0.5  # the same over the direction of the pelvis, seconds
    swing: float = 0.2  # least way of a foot between its extremes, meters
    step_time: tuple[float, float] = (0.25, 1.2)  # seconds
    stance: tuple[float, float] = (0.35, 0.85)  # share of a stride
    contacts: int = 3  # least number of contacts of alternating feet in a row
    late: float = 1.5  # of a step: after it, the same foot's contact follows a lost one
    treadmill: float = 0.5  # of the distance of the feet: less way is none
    walking: float = 0.6  # share of the time between the first and the last contact


@dataclass(frozen=True)
class Stride:
    """One foot from a contact to its next one."""

    foot: str  # 'left' or 'right'
    contact: float  # seconds of the contact
    lift_off: float  # seconds when it leaves the ground
    next_contact: float  # seconds of the next contact
    step_time: float  # seconds until the other foot's contact
    step_length: float  # distance from this contact to that one in walking direction, m
    step_width: float  # the same across it, m
    stride_length: float  # distance from this contact to the foot's next one, m
    in_place: bool  # whether the root stays, or its path is unknown

    @property
    def stride_time(self) -> float:
        """Seconds."""
        return self.next_contact - self.contact

    @property
    def speed(self) -> float:
        """Meters per second."""
        return self.stride_length / self.stride_time

    @property
    def cadence(self) -> float:
        """Steps per minute."""
        return 120 / self.stride_time

    @property
    def stance(self) -> float:
        """Share of the stride in which the foot is on the ground."""
        return (self.lift_off - self.contact) / self.stride_time


def find_strides(
    poses: np.ndarray,
    root: np.ndarray,
    seconds: np.ndarray,
    names: Sequence[str],
    limits: GaitLimits = GaitLimits(),
) -> list[Stride]:
    """Find the strides of one person.

    Args:
        poses (np.ndarray): Joints relative to the root, in meters, z up, (T, K, 3).
        root (np.ndarray): Positions of the root, (T, 3); NaN where unknown.
        seconds (np.ndarray): Increasing timestamps, (T,).
        names (Sequence[str]): Names of the joints: Human3.6M's 17, or 24.
        limits (GaitLimits): What counts as walking.

    Returns:
        list[Stride]: By contact; empty if the person does not walk.
    """
    if len(seconds) < 3:
        return []
    step = float(np.median(np.diff(seconds)))
    times = np.arange(seconds[0], seconds[-1] + step / 2, step)
    ends = ('heel', 'big_toe') if 'left_heel' in names else ('foot', 'foot')
    joints = [f'{side}_{x}' for x in ('hip', 'foot', *ends) for side in SIDES]
    flat = poses[:, [names.index(name) for name in joints]].reshape(len(poses), -1)
    even = np.column_stack([np.interp(times, seconds, column) for column in flat.T])
    even = gaussian_mean(even, limits.smoothing / step).reshape(len(times), -1, 2, 3)
    hips, ankles, heels, toes = even.swapaxes(0, 1)
    across = gaussian_mean((hips[:, 0] - hips[:, 1])[:, :2], limits.heading / step)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    ahead = np.stack([across[:, 1], -across[:, 0]], 1)
    heel, toe = ((x[..., :2] * ahead[:, None]).sum(-1).T for x in (heels, toes))
    peaks = [_peaks(side, limits.swing) for side in heel]
    off = np.concatenate([_peaks(-side, limits.swing) for side in toe])
    contacts, feet = np.concatenate(peaks), np.repeat([0, 1], [*map(len, peaks)])
    order = np.lexsort((feet, contacts))
    contacts, feet = contacts[order], feet[order]
    path = np.column_stack([np.interp(times, seconds, axis) for axis in root.T])
    strides: list[Stride] = []
    for run in _steps_in_a_row(contacts * step, feet, limits):
        at, detected = contacts[run], feet[run]
        # alternating, as most of the detected ones
        sides = np.arange(len(run)) % 2
        if 2 * (sides == detected).sum() < len(run):
            sides = 1 - sides
        near = at.round().astype(int)
        way, places = ahead[near], ankles[near][..., :2]
        landing, other = (
            places[np.arange(len(run)), x] for x in (detected, 1 - detected)
        )
        steps = np.diff(landing + path[near, :2], axis=0)
        apart = (landing - other)[1:]
        moved, between = (abs((x * way[1:]).sum(1)) for x in (steps, apart))
        # or unknown
        in_place = not np.median(moved) > limits.treadmill * np.median(between)
        if in_place:
            steps, moved = apart, between
        widths = abs((steps * across[near[1:]]).sum(1))
        when = times[0] + at * step
        low, high = limits.stance
        for index, side in enumerate(sides[:-2]):
            # the other foot's lift-offs are outside the limits
            share = (off - at[index]) / (at[index + 2] - at[index])
            lifted = off[(low < share) & (share < high)]
            if not len(lifted):
                continue
            strides.append(
                Stride(
                    SIDES[side],
                    contact=float(when[index]),
                    lift_off=float(times[0] + lifted[-1] * step),
                    next_contact=float(when[index + 2]),
                    step_time=float(when[index + 1] - when[index]),
                    step_length=float(moved[index]),
                    step_width=float(widths[index]),
                    stride_length=float(moved[index] + moved[index + 1]),
                    in_place=in_place,
                )
            )
    return strides


def is_on_treadmill(
    strides: Sequence[Stride], seconds: np.ndarray, limits: GaitLimits = GaitLimits()
) -> bool:
    """Return whether a person walks most of the time (T,), and always in place."""
    if not strides or not all(stride.in_place for stride in strides):
        return False
    walked = max(x.next_contact for x in strides) - min(x.contact for x in strides)
    return walked > limits.walking * (seconds[-1] - seconds[0])


def walking_direction(poses: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return where the pelvis of poses (T, K, 3), z up, faces: (2,), of length 1."""
    left, right = (poses[:, names.index(f'{side}_hip'), :2] for side in SIDES)
    across = (left - right).mean(0)
    return np.array([across[1], -across[0]]) / max(np.linalg.norm(across), 1e-9)


def _steps_in_a_row(
    contacts: np.ndarray, feet: np.ndarray, limits: GaitLimits
) -> list[np.ndarray]:
    """Split contacts, at seconds (C,) of feet (C,), into runs at walking pace.

    Feet alternate in a part of each run; elsewhere their sides may have been confused.
    """
    (low, high), passed = limits.step_time, np.diff(contacts)
    usual = passed[(low < passed) & (passed < high)]
    if not len(usual):
        return []
    is_same = np.diff(feet) == 0
    late = min(limits.late * np.median(usual), high)
    is_apart = (passed <= low) | (passed >= np.where(is_same, late, high))
    runs = np.split(np.arange(len(feet)), np.flatnonzero(is_apart) + 1)
    alternating = (np.flatnonzero(np.diff(feet[run]) == 0) for run in runs)
    return [
        run
        for run, ends in zip(runs, alternating, strict=True)
        if np.diff([-1, *ends, len(run) - 1]).max() >= limits.contacts
    ]


def _peaks(values: np.ndarray, prominence: float) -> np.ndarray:
    """Return the maxima of values (T,) as fractions of frames."""
    peaks = find_peaks(values, prominence)
    before, at, after = values[peaks - 1], values[peaks], values[peaks + 1]
    bend = np.minimum(before - 2 * at + after, -1e-9)
    return peaks + ((before - after) / (2 * bend)).clip(-0.5, 0.5)


def find_peaks(values: np.ndarray, prominence: float) -> np.ndarray:
    """Return where values (T,) rise and fall again by at least a prominence, (N,).

    As ``scipy.signal.find_peaks``, whose import takes 0.4 seconds of each command that
    locks feet.
    """
    peaks, top, bottom, rises = [], 0, 0, False
    for index, value in enumerate(values.tolist()):
        if rises and value > values[top]:
            top = index
        elif rises and value <= values[top] - prominence:
            peaks.append(top)
            bottom, rises = index, False
        elif not rises and value < values[bottom]:
            bottom = index
        elif not rises and value >= values[bottom] + prominence:
            top, rises = index, True
    return np.array(peaks, int)
