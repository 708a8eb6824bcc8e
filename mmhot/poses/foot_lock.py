"""Foot lock: correct root paths and legs so that standing feet stay in place.

A banded linear least-squares problem over all frames of a person finds corrections of
the root and both ankles. They are small, smooth over time, leave the legs no longer
than their bones, and bring standing ankles to rest. Two-bone inverse kinematics then
places the knees.

Contacts are predicted for ankles only. Toe and heel rest while their ankle does. The
toe also rests for a while after that (push-off), and the heel before it (heel strike),
as long as they stay near that place.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError
from mmhot.geometry.smooth_fits import (
    normal_bands,
    rest_equations,
    rest_weights,
    second_differences,
    sight_precision,
    solve_blocks,
)
from mmhot.lifting.placement import is_pinned
from mmhot.options import Option
from mmhot.poses.camera import stable_keypoints
from mmhot.poses.contacts import ANKLES, predict_contacts
from mmhot.poses.offset_fit import OffsetErrors, Offsets, fit_offsets
from mmhot.poses.smoothing import noise_of
from mmhot.skeletons.gait import walking_direction
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import get_skeleton
from mmhot.step import PoseStep
from mmhot.structures.clips_3d import Clip3D, to_axes

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
LEGS = [
    _H36M.indices([f'{side}_hip', f'{side}_knee', f'{side}_foot'])
    for side in ('right', 'left')
]
_HIPS = [leg[0] for leg in LEGS]
_SHINS = np.array(LEGS)[:, 1:]  # knee and ankle
# From corrections of root, right and left ankle to the root's correction, and to the
# ankles' corrections relative to the root
_LINKS = np.array([[1, 0, 0], [-1, 1, 0], [-1, 0, 1]])


@dataclass(frozen=True)
class FootErrors:
    """Standard deviations and limits of the foot lock.

    Pairs are across and along the line of sight. A higher standard deviation lets the
    fit move that quantity farther.
    """

    root: tuple[float, float] = (0.02, 0.045)  # m; correction of the lifted root
    # m; correction of an ankle relative to the root. Larger ones cost more accuracy in
    # falls, jumps and on crutches than resting feet gain.
    ankle: tuple[float, float] = (0.012, 0.024)
    slide: float = 0.03  # m/s; velocity of a standing ankle; higher holds feet less
    root_acceleration: float = 2.0  # m/s^2; acceleration of the root's corrections
    ankle_acceleration: float = 4.0  # m/s^2; acceleration of an ankle's corrections
    # m/s; a contact has half its weight if the ankle moves at this speed. Higher values
    # hold faster ankles.
    robust: float = 0.1
    rounds: int = 4  # iterations of the fit, which is linearized and reweighted
    fit: OffsetErrors = OffsetErrors()  # errors of the fit of toes and heels
    # Probability of a contact; lower ones count as zero. Higher values hold fewer feet.
    min_contact: float = 0.3
    # m; poses of other tools with less noise are exact, and their feet are not held.
    # CMU's motions have up to .0017 at 25 to 240 frames/s, and .0025 with noise of .002
    # along each axis. If feet are held, the noise is the error of root and ankles.
    min_noise: float = 0.002
    # m; errors of the lifted root, and of an ankle relative to it, that do not show
    # that a contact glides. Higher values hold more feet.
    root_error: tuple[float, float] = (0.03, 0.07)
    ankle_error: tuple[float, float] = (0.03, 0.06)
    # m; path of an ankle that rolls over its standing foot. Higher values hold more.
    ankle_roll: float = 0.014
    # Standard deviations; an ankle that is farther from its contact is not standing.
    # Higher values hold more feet.
    max_contact_error: float = 2.5
    # Path of an ankle relative to the root, as a share of its path in space; below this
    # share the body moves as one (treadmill, skates). Higher values hold fewer feet.
    max_relative_path: float = 0.5
    # Distance from start to end of a path, as a share of its length; below this share
    # the path comes back, as errors do. Higher values hold more feet.
    min_straightness: float = 0.8
    # A person walks in place if each foot has at least so many contacts, ...
    min_contacts: int = 2
    # ... in which ankles move this far on average, m, ...
    min_contact_path: float = 0.05
    # ... and the root moves less than this share of that in their direction. It is .24
    # to 9 in lifted walks on the ground, and -1 to -.1 on treadmills.
    max_root_share: float = 0.1
    # Longest leg, as a share of its bones' lengths; a leg that was lifted straighter
    # may stay so.
    max_stretch: float = 0.99
    reach_error: float = 0.003  # m; error of a leg that would be longer than that
    straight_error: float = 0.01  # m; error of the length of a leg that stays straight
    end_error: tuple[float, float] = (0.015, 0.06)  # m; error of toes and heels
    length_error: float = 0.002  # m; error of distances between toe, heel and ankle
    # Seconds that a toe may rest after its ankle, and a heel before it
    max_rest: float = 0.25
    # m; a toe or heel that is farther from its place at rest no longer rests.
    max_away: tuple[float, float] = (0.05, 0.15)
    # m; a person who moves ahead farther than this, and than half the treadmill's way,
    # is not on a treadmill. Higher values move more people.
    max_own_path: float = 0.5
    # m; assumed distance to the nearest person if the poses are not from a camera
    viewpoint: float = 5.0
    # Sine of the angle between a leg and the line of the hips; below it, as in splits,
    # the forward direction of the knee counts less.
    min_hinge: float = 0.2


def _say_gliding(name: str, people: set[int]) -> None:
    """Warn that feet of people, by track ID, glide and are not held."""
    text = (
        '%s: feet of people %s glide and are not held; if they walk on a treadmill, '
        '{treadmill} states its speed'
    )
    _LOGGER.warning(ArgumentError(text, name, ', '.join(map(str, sorted(people)))))


@dataclass(frozen=True, kw_only=True)
class LockFeet(PoseStep):
    """Step ``feet``: keep standing feet in place.

    Root, knees and ankles of people with foot contacts change as little as possible,
    and their leg bones get constant lengths. Other joints keep their position relative
    to the root. People on treadmills do not change unless the speed of the treadmill is
    given; then they walk ahead at this speed.
    """

    name, of_people = 'feet', True

    treadmill: Annotated[
        float | None,
        'speed of the treadmill on which people walk, who then move ahead (default: '
        'feet of people who walk in place are not held)',
        Option(low=0, metavar='M/S'),
    ] = None
    errors: FootErrors = FootErrors()
    contacts: Callable[..., np.ndarray] = predict_contacts

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Keep standing feet in place if all frames share their axes."""
        if clip.camera_path is not None:
            return self.lock(clip)
        self.refuse({'treadmill'}, 'needs a static camera')
        return clip

    def lock(self, clip: Clip3D) -> Clip3D:
        """Keep standing feet in place, with or without a known camera.

        Args:
            clip (Clip3D): Poses in ``'camera'`` or ``'world'`` axes, with ``root_3d``.
                The first joints are Human3.6M's 17; more may hang on them.

        Returns:
            Clip3D: The clip with new poses and root positions.

        Raises:
            ValueError: If the clip has other joints.
        """
        count = _H36M.num_keypoints
        if clip.joint_names[:count] != _H36M.joints:
            raise ValueError(
                f'{clip.name}: feet can be locked only with the joints of h36m-17'
            )
        if clip.axes == 'world':
            turned = to_axes(replace(clip, axes='z-up'), 'camera')
            return replace(to_axes(self.lock(turned), 'z-up'), axes='world')
        if self.treadmill is not None:
            clip = self._walk_ahead(clip, self.treadmill)
        feet = [
            [ankle, *(joint for joint, at in enumerate(clip.parents) if at == ankle)]
            for ankle in ANKLES
        ]
        poses = clip.keypoints_3d.astype(np.float64)
        root = clip.root_3d.astype(np.float64)
        upright = to_axes(clip, 'z-up')
        keypoints = stable_keypoints(clip)
        confidence = clip.confidence
        gliding: set[int] = set()
        # Offset that puts people in front of a camera, if positions are not from one
        depth = np.nanmin(root[:, 2], initial=np.inf)
        away = np.array(
            [0, 0, 0 if depth > 0 else self.errors.viewpoint - depth], float
        )
        step = self._with_noise(clip)
        for rows in clip.stretches():
            is_placed = len(rows) > 2 and np.isfinite(root[rows]).all()
            if step is None or not is_placed or is_pinned(upright.root_3d[rows]):
                continue
            seconds = clip.seconds(clip.frame[rows])
            seen = keypoints[rows, :count], confidence[rows, :count]
            places = poses[rows, :count] + root[rows, None]
            stands = self._contacts(*seen, places, seconds)
            hips = root[rows] + away
            sliding = step._sliding(stands, places[:, ANKLES] + away, hips)
            if sliding is None:
                gliding.add(int(clip.track[rows[0]]))
            elif sliding.any():
                person = poses[rows], hips, stands, sliding, seconds
                poses[rows], path = step._lock_person(*person, feet)
                root[rows] = path - away
        if gliding:
            _say_gliding(clip.name, gliding)
        return replace(
            clip,
            keypoints_3d=poses.astype(np.float32),
            root_3d=root.astype(np.float32),
        )

    def _walk_ahead(self, clip: Clip3D, speed: float) -> Clip3D:
        """Move people ahead at the speed of a treadmill, m/s, in camera axes.

        People who already walk ahead by themselves are not moved.
        """
        root, upright = clip.root_3d.copy(), to_axes(clip, 'z-up')
        if np.isnan(root).all() and not clip.model:
            root[:] = 0.0  # tools without positions keep the pelvis at the origin
        walking = set[int]()
        for rows in clip.stretches():
            seconds = clip.seconds(clip.frame[rows])
            facing = walking_direction(upright.keypoints_3d[rows], clip.joint_names)
            ahead = np.array([facing[0], 0, facing[1]])
            way = speed * (seconds - seconds[0])
            own = (root[rows[-1]] - root[rows[0]]) @ ahead
            if own > max(way[-1] / 2, self.errors.max_own_path):
                walking.add(int(clip.track[rows[0]]))
            else:
                root[rows] += np.outer(way, ahead)
        if walking:
            text = '%s: people %s walk through the room: {treadmill} does not move them'
            people = ', '.join(map(str, sorted(walking)))
            _LOGGER.warning(ArgumentError(text, clip.name, people))
        return replace(clip, root_3d=root)

    def _with_noise(self, clip: Clip3D) -> 'LockFeet | None':
        """Return the step with the noise of the clip's poses as its errors.

        Lifted clips keep the errors of the step. None if another tool's poses have no
        noise: their feet are right as they are.
        """
        if clip.model:
            return self
        noise = noise_of(clip)
        if noise < self.errors.min_noise:
            self.report.say(f'{clip.name}: poses have no noise: feet are not held')
            return None
        both = noise, noise
        own = replace(self.errors, root=both, ankle=both)
        own = replace(own, root_error=both, ankle_error=both)
        return replace(self, errors=own)

    def _lock_person(
        self,
        poses: np.ndarray,
        root: np.ndarray,
        stands: np.ndarray,
        sliding: np.ndarray,
        seconds: np.ndarray,
        feet: list[list[int]],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keep the feet of one person in place.

        Args:
            poses (np.ndarray): Root-relative joints in camera axes, meters, (T, K, 3).
            root (np.ndarray): Root positions in camera axes, meters, (T, 3).
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).
            sliding (np.ndarray): The same without contacts that glide, (T, 2).
            seconds (np.ndarray): Timestamps, (T,).
            feet (list[list[int]]): Ankle, toe and heel of the right and left foot, or
                the ankles only.

        Returns:
            tuple[np.ndarray, np.ndarray]: New poses (T, K, 3) and root (T, 3).
        """
        bones = np.diff(poses[:, np.array(LEGS)], axis=2)
        lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)  # thighs and shins
        moved = self._correct(poses, root, sliding, seconds, lengths)
        locked, path = poses.copy(), root + moved[:, 0]
        locked[:, ANKLES] += moved[:, 1:] - moved[:, :1]
        for leg, thigh_and_shin in zip(LEGS, lengths, strict=True):
            self.bend_knee(locked, poses, leg, thigh_and_shin)
        for (ankle, *ends), rests in zip(feet, stands.T, strict=True):
            if ends:  # toe and heel of h36m-24
                locked[:, ends] += (locked - poses)[:, [ankle]]
                points = locked[:, [ankle, *ends]] + path[:, None]
                held = self.hold_foot(points, rests, seconds)
                locked[:, ends] = held - path[:, None]
        return locked, path

    def _contacts(
        self,
        keypoints: np.ndarray,
        confidence: np.ndarray,
        places: np.ndarray,
        seconds: np.ndarray,
    ) -> np.ndarray:
        """Predict the probability that the right and left ankle stand, (T, 2).

        Keypoints (T, 17, 2) in pixels have confidences (T, 17); places (T, 17, 3) are
        joints in camera axes.
        """
        # On a treadmill feet move in the image: predict from the poses instead.
        if self.treadmill or np.isnan(keypoints).all():
            # Two views from the front and from the side, y down as in camera axes
            scores = np.ones(places.shape[:2])
            views = (places[..., [axis, 1]] for axis in (0, 2))
            sides = [predict_contacts(view, scores, seconds) for view in views]
            stands = np.mean(sides, axis=0)
        else:
            stands = self.contacts(keypoints, confidence, seconds)
            # Legs that are never seen hang straight; held feet would bend them.
            stands = stands * confidence[:, _SHINS].any((0, 2))
        return np.where(stands < self.errors.min_contact, 0, stands)

    def _sliding(
        self, stands: np.ndarray, ankles: np.ndarray, root: np.ndarray
    ) -> np.ndarray | None:
        """Drop the contacts of ankles that glide, as feet on skates do.

        Args:
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).
            ankles (np.ndarray): Ankles in camera axes, meters, (T, 2, 3).
            root (np.ndarray): Root in camera axes, meters, (T, 3).

        Returns:
            np.ndarray | None: The other contacts, (T, 2); None if the person glides in
            most frames with contacts, or walks in place.
        """
        sliding, gliding = stands.copy(), 0
        # Each contact is a run of frames on one side.
        labels, _ = scipy.ndimage.label(stands > 0, [[0, 1, 0]] * 3)
        contacts = scipy.ndimage.find_objects(labels)
        if self._walks_in_place(contacts, ankles, root):
            return None
        for rows, side in contacts:
            places = ankles[rows, side.start]
            if self._glides(places, root[rows]):
                gliding += len(places)
                sliding[rows, side] = 0
        return sliding if np.count_nonzero(sliding) >= gliding else None

    def _walks_in_place(
        self,
        contacts: list[tuple[slice, slice]],
        ankles: np.ndarray,
        root: np.ndarray,
    ) -> bool:
        """Return whether a person walks in place, as on a treadmill.

        Both standing feet move in one direction, and the root does not. Contacts are
        rows and sides of ankles (T, 2, 3); the root is (T, 3), all in meters. This
        complements :meth:`_glides`: lifted feet move too little in depth, so that
        people who face the camera on a treadmill do not seem to glide.
        """
        sides = np.array([side.start for _, side in contacts], int)
        if np.bincount(sides, minlength=2).min() < self.errors.min_contacts:
            return False
        ways = np.array([_way(ankles[rows, side.start]) for rows, side in contacts])
        own = np.array([_way(root[rows]) for rows, _ in contacts]).sum(0)
        total = np.linalg.norm(ways.sum(0))
        ahead = ways.sum(0) / max(total, 1e-9)
        errors, path = self.errors, np.linalg.norm(ways, axis=1).sum()
        is_one_way = total > errors.min_straightness * path
        feet = [(ways[sides == side] @ ahead).mean() for side in range(2)]
        is_far = total > errors.min_contact_path * len(ways) and min(feet) > 0
        stays = own @ ahead < errors.max_root_share * total
        return bool(is_one_way and is_far and stays)

    def _glides(self, ankle: np.ndarray, root: np.ndarray) -> bool:
        """Return whether an ankle in contact moves farther than its errors explain.

        Ankle and root (T, 3) are in camera axes. Errors of the root move both of them
        alike, and come back. If the ankle moves relative to the root, or comes back,
        its own errors explain more of the movement.
        """
        errors = self.errors
        across, along = np.hypot(errors.root_error, errors.ankle_roll)
        parts = np.array_split(ankle, min(len(ankle), 5))
        way = np.diff([part.mean(0) for part in parts], axis=0)
        ahead = errors.min_straightness * np.linalg.norm(way, axis=1).sum()
        comes_back = np.linalg.norm(way.sum(0)) < ahead
        least = errors.max_relative_path * _spread(ankle)
        if comes_back or _spread(ankle - root) > least:
            across, along = np.hypot((across, along), errors.ankle_error)
        away = ankle - np.median(ankle, axis=0)
        precision = sight_precision(ankle, (across, along))
        far = np.einsum('ti,tij,tj->t', away, precision, away)
        return bool(np.quantile(far, 0.8) > errors.max_contact_error**2)

    def _correct(
        self,
        poses: np.ndarray,
        root: np.ndarray,
        stands: np.ndarray,
        seconds: np.ndarray,
        lengths: np.ndarray,
    ) -> np.ndarray:
        """Find corrections of root, right and left ankle by least squares.

        Args:
            poses (np.ndarray): Root-relative joints in camera axes, meters, (T, K, 3).
            root (np.ndarray): Root positions in camera axes, meters, (T, 3).
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).
            seconds (np.ndarray): Timestamps, (T,).
            lengths (np.ndarray): Lengths of thigh and shin of both legs, meters,
                (2, 2).

        Returns:
            np.ndarray: Displacements in camera axes, meters, (T, 3, 3).
        """
        lifted, errors = poses[:, ANKLES], self.errors
        legs, ankles = lifted - poses[:, _HIPS], lifted + root[:, None]
        # The normal equations collect four terms: corrections are small, ...
        pairs = _LINKS[:, :, None] * _LINKS[:, None]
        precision = [sight_precision(root, errors.root)]
        precision += [sight_precision(x, errors.ankle) for x in ankles.swapaxes(0, 1)]
        near = np.einsum('lpq,ltij->tpiqj', pairs, precision)
        # ... smooth, ...
        rates = np.array([errors.root_acceleration, *[errors.ankle_acceleration] * 2])
        differences = normal_bands(second_differences(seconds, 1.0), len(seconds))
        smooth = np.repeat(rates[:, None] ** -2.0, 3, axis=1)
        smooth = differences[..., None, None] * smooth
        longest = self._longest(legs, lengths)
        is_straight = longest > errors.max_stretch * lengths.sum(1)
        weights, moved = stands[1:] * stands[:-1], np.zeros((len(root), 3, 3))
        for _ in range(errors.rounds):
            # ... bones reach the ankles, and straight legs stay straight, ...
            lines = legs + _LINKS[1:] @ moved
            sizes = np.linalg.norm(lines, axis=-1)
            pull = np.where(is_straight, 1 / errors.straight_error, 0)
            pull = np.where(sizes > longest, 1 / errors.reach_error, pull)
            along = lines * (pull / sizes.clip(1e-6))[..., None]
            targets = longest * pull - (along * legs).sum(-1)
            reach = np.einsum('lpq,tli,tlj->tpiqj', pairs[1:], along, along)
            right = np.einsum('lp,tl,tli->tpi', _LINKS[1:], targets, along)
            # ... and ankles that stand are at rest
            bands = smooth.copy()
            for side in range(2):
                ankle = ankles[:, side], weights[:, side]
                rest, force = rest_equations(*ankle, seconds, errors.slide)
                bands[:2, :, side + 1] += rest[..., None]
                right[:, side + 1] += force
            blocks = (near + reach).reshape(-1, 9, 9)
            moved = solve_blocks(blocks, bands.reshape(3, -1), right)
            places = ankles + moved[:, 1:]
            weights = rest_weights(stands, places, seconds, errors.robust)
        return moved

    def _longest(self, legs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the largest distance from hip to ankle, meters, (...).

        Legs (..., 3) are the lifted lines from hip to ankle; lengths (..., 2) belong to
        thighs and shins.
        """
        longest = lengths.sum(-1)
        sizes = np.linalg.norm(legs, axis=-1)
        return sizes.clip(self.errors.max_stretch * longest, longest)

    def bend_knee(
        self, poses: np.ndarray, lifted: np.ndarray, leg: list[int], bones: np.ndarray
    ) -> None:
        """Place a knee by two-bone inverse kinematics, in place.

        The knee bends in the direction of the lifted knee, but never backwards. A leg
        that would be longer than it may be comes the nearer to straight, the longer it
        would be.

        Args:
            poses (np.ndarray): Poses with new ankles, meters, (T, K, 3); knee and ankle
                are changed.
            lifted (np.ndarray): Poses before the correction, (T, K, 3).
            leg (list[int]): Hip, knee and ankle.
            bones (np.ndarray): Lengths of thigh and shin, meters, (2,).
        """
        hip, knee, ankle = leg
        thigh, shin = bones
        line = poses[:, ankle] - poses[:, hip]
        length = np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6)
        axis = line / length
        longest = self._longest(lifted[:, ankle] - lifted[:, hip], bones)[:, None]
        # A clipped length would leave knees at one angle for several frames.
        room = (thigh + shin - longest).clip(1e-6)
        over = (length - longest).clip(0)
        length = np.minimum(length, longest) + room * np.tanh(over / room)
        length = length.clip(abs(thigh - shin) + 1e-4)
        poses[:, ankle] = poses[:, hip] + axis * length
        # Knees bend about the axis from hip to hip; forward is perpendicular to it.
        hinge = unit_vectors(lifted[:, _HIPS[0]] - lifted[:, _HIPS[1]])
        forward = unit_vectors(np.cross(hinge, axis), self.errors.min_hinge)
        pole = lifted[:, knee] - lifted[:, hip]
        pole = pole - (pole * axis).sum(-1, keepdims=True) * axis
        ahead = (pole * forward).sum(-1, keepdims=True)
        pole += (0.01 - ahead).clip(0) * forward
        pole = unit_vectors(pole)
        along = (thigh**2 - shin**2 + length**2) / (2 * length)
        side = np.sqrt((thigh**2 - along**2).clip(0))
        poses[:, knee] = poses[:, hip] + axis * along + pole * side

    def hold_foot(
        self, points: np.ndarray, stands: np.ndarray, seconds: np.ndarray
    ) -> np.ndarray:
        """Keep toe and heel of a foot in place while they rest.

        The distances between ankle, toe and heel become constant.

        Args:
            points (np.ndarray): Ankle, toe and heel in camera axes, meters, (T, 3, 3).
            stands (np.ndarray): Probability that the ankle stands, (T,).
            seconds (np.ndarray): Timestamps, (T,).

        Returns:
            np.ndarray: Toe and heel in camera axes, meters, (T, 2, 3).
        """
        ankle, ends, errors = points[:, :1], points[:, 1:], self.errors
        front, back, sole = (
            np.median(np.linalg.norm(points[:, i] - points[:, j], axis=-1))
            for i, j in combinations(range(3), 2)
        )
        toe_rests = self._prolong(ends[:, 0], stands, seconds)
        backwards = ends[::-1, 1], stands[::-1], -seconds[::-1]
        heel_rests = self._prolong(*backwards)[::-1]
        zeros = np.zeros(ends.shape[:2])
        precision = [sight_precision(x, errors.end_error) for x in ends.swapaxes(0, 1)]
        problem = Offsets(
            mean=ends - ankle,
            precision=np.stack(precision, 1),
            joints=np.repeat(ankle, 2, 1),
            rays=np.zeros((*zeros.shape, 2)),
            weights=zeros,
            links=np.array([[1, 0], [0, 1], [1, -1]]),
            lengths=np.array([front, back, sole]),
            seconds=seconds,
            flat=zeros[:, 0],
            up=np.zeros(3),
            rests=np.stack([toe_rests, heel_rests], 1),
            length_error=errors.length_error,
        )
        toe, heel = np.moveaxis(fit_offsets(problem, errors.fit), 1, 0)
        toe = unit_vectors(toe)
        heel = unit_vectors(heel - (heel * toe).sum(-1, keepdims=True) * toe)
        cosine = np.clip((front**2 + back**2 - sole**2) / (2 * front * back), -1, 1)
        heel = cosine * toe + np.sqrt(1 - cosine**2) * heel
        return ankle + np.stack([front * toe, back * heel], 1)

    def _prolong(
        self, places: np.ndarray, stands: np.ndarray, seconds: np.ndarray
    ) -> np.ndarray:
        """Prolong contacts (T,) as long as places (T, 3) stay where they rested.

        Each contact lasts up to ``max_rest`` longer.
        """
        rests, on = stands.copy(), stands > 0.5
        edges = np.flatnonzero(np.diff(on, prepend=False))
        for start, end in zip(edges[::2], edges[1::2], strict=False):
            stop = np.searchsorted(seconds, seconds[end] + self.errors.max_rest)
            place = np.median(places[start:end], axis=0)
            away = places[end:stop] - place
            precision = sight_precision(place[None], self.errors.max_away)[0]
            near = np.einsum('ti,ij,tj->t', away, precision, away) < 1
            held = slice(end, end + np.logical_and.accumulate(near).sum())
            rests[held] = np.maximum(rests[held], stands[end - 1])
        return rests


def _way(places: np.ndarray) -> np.ndarray:
    """Return the displacement (3,) of places (T, 3), first fifth to last fifth."""
    count = max(len(places) // 5, 1)
    return places[-count:].mean(0) - places[:count].mean(0)


def _spread(places: np.ndarray) -> float:
    """Return the 80th percentile of the distances of places (T, 3) to their median."""
    away = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return float(np.quantile(away, 0.8))
