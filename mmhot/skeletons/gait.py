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
    joints = [
        *(f'{side}_hip' for side in SIDES),
        *(f'{side}_foot' for side in SIDES),
        *(f'{side}_heel' for side in SIDES if f'{side}_heel' in names),
        *(f'{side}_big_toe' for side in SIDES if f'{side}_big_toe' in names),
    ]
    flat = poses[:, [names.index(name) for name in joints]].reshape(len(poses), -1)
    even = np.column_stack([np.interp(times, seconds, column) for column in flat.T])
    even = gaussian_mean(even, limits.smoothing / step).reshape(len(times), -1, 2, 3)
    hips, ankles, heels, toes = even[:, 0], even[:, 1], even[:, -2], even[:, -1]
    if even.shape[1] == 2:
        heels = toes = ankles
    across = gaussian_mean((hips[:, 0] - hips[:, 1])[:, :2], limits.heading / step)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    ahead = np.stack([across[:, 1], -across[:, 0]], 1)
    contacts, offs = [], []
    for side in range(2):
        heel = (heels[:, side, :2] * ahead).sum(1)
        toe = (toes[:, side, :2] * ahead).sum(1)
        contacts += [(at, side) for at in _peaks(heel, limits.swing)]
        offs.append(_peaks(-toe, limits.swing))
    path = np.column_stack([np.interp(times, seconds, axis) for axis in root.T])
    strides: list[Stride] = []
    for run in _steps_in_a_row(sorted(contacts), step, limits):
        at, detected = np.array([place for place, _ in run]), [side for _, side in run]
        sides = _alternate(detected)
        near = at.round().astype(int)
        feet, way = ankles[near][..., :2], ahead[near]
        landing, other = (
            feet[np.arange(len(run)), x] for x in (detected, np.subtract(1, detected))
        )
        placed = landing + path[near, :2]
        steps = np.diff(placed, axis=0)
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
            length = at[index + 2] - at[index]
            off = np.concatenate(offs)  # the other foot's is outside the limits
            share = (off - at[index]) / length
            off = off[(low < share) & (share < high)]
            if not len(off):
                continue
            strides.append(
                Stride(
                    SIDES[side],
                    contact=float(when[index]),
                    lift_off=float(times[0] + off[-1] * step),
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
    contacts: Sequence[tuple[float, int]], step: float, limits: GaitLimits
) -> list[list[tuple[float, int]]]:
    """Split contacts (frame, side) into runs at walking pace.

    Feet alternate in a part of each run; elsewhere their sides may have been confused.
    """
    low, high = limits.step_time
    passed = np.diff([at for at, _ in contacts]) * step
    usual = passed[(low < passed) & (passed < high)]
    if not len(usual):
        return []
    late = limits.late * np.median(usual)
    runs = [[contacts[0]]]
    for last, contact, time in zip(contacts, contacts[1:], passed, strict=False):
        is_same = contact[1] == last[1]
        if not low < time < (min(late, high) if is_same else high):
            runs.append([])
        runs[-1].append(contact)
    return [run for run in runs if _most_alternating(run) >= limits.contacts]


def _most_alternating(run: Sequence[tuple[float, int]]) -> int:
    """Return the largest number of contacts in a row whose feet alternate."""
    most = count = 1
    for (_, last), (_, side) in zip(run, run[1:], strict=False):
        count = 1 if side == last else count + 1
        most = max(most, count)
    return most


def _alternate(detected: Sequence[int]) -> list[int]:
    """Return alternating sides, those that agree with most of the detected ones."""
    sides = np.arange(len(detected)) % 2
    agreed = (sides == detected).sum()
    is_other = 2 * agreed < len(detected)
    return (1 - sides if is_other else sides).tolist()


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
