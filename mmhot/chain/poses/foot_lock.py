"""Step ``feet``, foot lock: standing feet stay in place.

:class:`mmhot.chain.poses.foot_solver.FootSolver` finds the corrections. They are small,
smooth over time, leave the legs no longer than their bones, and bring standing ankles
to rest.
"""

import logging
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.lifting.placement import is_pinned
from mmhot.chain.poses.camera import stable_keypoints
from mmhot.chain.poses.contacts import (
    ANKLES,
    ContactLimits,
    Contacts,
    drop_gliding_contacts,
    predict_contacts,
)
from mmhot.chain.poses.foot_solver import LEGS, FootErrors, FootSolver
from mmhot.chain.poses.smoothing import noise_of
from mmhot.chain.poses.toe_lock import ToeErrors, hold_foot
from mmhot.chain.step import PoseStep
from mmhot.errors import ArgumentError, list_people
from mmhot.options import Option
from mmhot.skeletons.gait import walking_direction
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D, to_axes

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
_BODY = slice(_H36M.num_keypoints)
_KNEES_AND_ANKLES = np.array(LEGS)[:, 1:]


@dataclass(frozen=True, kw_only=True)
class LockFeet(PoseStep):
    """Step ``feet``: keep standing feet in place.

    Root, knees and ankles of people with foot contacts change as little as possible,
    and their leg bones get constant lengths; in other tools' poses the root and the
    lengths stay. Other joints keep their position relative to the root. People on
    treadmills do not change unless the speed of the treadmill is given; then they walk
    ahead at this speed.
    """

    name = 'feet'
    of_people = True

    treadmill: Annotated[
        float | None,
        'speed of a treadmill; people who walk on it are moved ahead at this speed '
        '(default: feet of people who walk in place are not held)',
        Option(low=0, metavar='M/S'),
    ] = None
    # Errors of root and ankle of other tools' poses, as shares of the noise that the
    # filter removes. What it leaves in the root is slow, and feet do not show it: .01
    # to .05 keep the root, .2 makes motions worse by up to 0.6 mm. Ankles gain with .2
    # to .4; with .6, a third of the motions get worse. Chosen on 30 motions of CMU with
    # white and smooth noise of 5 to 25 mm.
    root_share: float = 0.01
    ankle_share: float = 0.16
    # m; a person who moves ahead farther than this, and than half the treadmill's path,
    # is not on a treadmill. 30 lifted people on treadmills move by up to .1 m in 3 s,
    # and 18 who walk on the ground by 1.5 m and more: .2 to 3 of it are equal.
    max_own_path: float = 0.5
    contact_limits: ContactLimits = ContactLimits()
    errors: FootErrors = FootErrors()
    toe_errors: ToeErrors = ToeErrors()
    contacts: Contacts = predict_contacts

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Keep standing feet in place if all frames share their axes."""
        if clip.camera is not None:
            return self.lock(clip)
        self.refuse({'treadmill'}, 'needs a static camera')
        return clip

    def lock(self, clip: Clip3D) -> Clip3D:
        """Keep standing feet in place, with or without a known camera.

        Args:
            clip (Clip3D): Poses in any axes, with ``root_3d``. The first joints are
                Human3.6M's 17; more may hang on them.

        Returns:
            Clip3D: The clip with new poses and root positions.
        """
        if clip.axes == 'world':  # the solver needs a line of sight
            turned = to_axes(replace(clip, axes='z-up'), 'camera')
            return replace(to_axes(self.lock(turned), 'z-up'), axes='world')
        if self.treadmill is not None:
            clip = self._walk_ahead(clip, self.treadmill)
        step = self._with_noise(clip)
        return clip if step is None else step._lock_people(clip)

    def _lock_people(self, clip: Clip3D) -> Clip3D:
        """Keep the feet of all people in place who have positions and do not glide."""
        poses = clip.keypoints_3d.astype(np.float64)
        root = clip.root_3d.astype(np.float64)
        upright = to_axes(clip, 'z-up').root_3d
        keypoints = stable_keypoints(clip)[:, _BODY]
        confidence = clip.confidence[:, _BODY]
        gliding: dict[bool, set[int]] = {False: set(), True: set()}  # in place or not
        for rows in clip.stretches():
            is_placed = len(rows) > 2 and np.isfinite(root[rows]).all()
            if not is_placed or is_pinned(upright[rows]):
                continue
            seconds = clip.seconds(clip.frame[rows])
            places = poses[rows, _BODY] + root[rows, None]
            stands = self._predict_contacts(
                keypoints[rows], confidence[rows], places, seconds
            )
            legs = FootSolver(
                poses[rows], root[rows], seconds, self.errors, not clip.model
            )
            held = drop_gliding_contacts(
                stands, legs.ankles, legs.root, seconds, self.contact_limits
            )
            if held is None:
                first, last = upright[rows[[0, -1]], :2]
                stays = bool(np.linalg.norm(last - first) <= self.max_own_path)
                gliding[stays].add(int(clip.track[rows[0]]))
            elif held.any():
                locked, root[rows] = legs.solve(held)
                self._lock_toes(locked, root[rows], legs, stands, clip.parents)
                poses[rows] = locked
        if gliding[False]:
            people = list_people(gliding[False])
            _LOGGER.info('%s: feet of %s glide and are not held', clip.name, people)
        if gliding[True]:
            lens = ', and {fov} the lens, which is assumed' if clip.lens is None else ''
            _warn(
                '%s: feet of %s glide in place and are not held; on a treadmill, '
                f'{{treadmill}} states its speed{lens}',
                clip,
                gliding[True],
            )
        return replace(
            clip,
            keypoints_3d=poses.astype(np.float32),
            root_3d=root.astype(np.float32),
        )

    def _walk_ahead(self, clip: Clip3D, speed: float) -> Clip3D:
        """Move people ahead at the speed of a treadmill, m/s, in camera axes.

        People who already walk ahead by themselves are not moved.
        """
        root = clip.root_3d.copy()
        if np.isnan(root).all() and not clip.model:
            root[:] = 0.0  # tools without positions keep the pelvis at the origin
        poses = to_axes(clip, 'z-up').keypoints_3d
        for rows in clip.stretches():
            facing = walking_direction(poses[rows], clip.joint_names)
            ahead = np.array([facing[0], 0, facing[1]])
            seconds = clip.seconds(clip.frame[rows])
            path = speed * (seconds - seconds[0])
            own_path = (root[rows[-1]] - root[rows[0]]) @ ahead
            if own_path <= max(path[-1] / 2, self.max_own_path):
                root[rows] += np.outer(path, ahead)
        return replace(clip, root_3d=root)

    def _with_noise(self, clip: Clip3D) -> 'LockFeet | None':
        """Return the step with its errors set to the noise of a clip.

        For lifted clips, the step's own errors hold. For poses of other tools without
        noise, it returns None: their feet are right as they are.
        """
        if clip.model:
            return self
        noise = noise_of(clip)
        if not noise:
            _LOGGER.info('%s: poses have no noise, so feet are not held', clip.name)
            return None
        both = noise, noise
        limits = replace(self.contact_limits, root_error=both, ankle_error=both)
        root, ankle = self.root_share * noise, self.ankle_share * noise
        errors = replace(self.errors, root=(root, root), ankle=(ankle, ankle))
        return replace(self, contact_limits=limits, errors=errors)

    def _predict_contacts(
        self,
        keypoints: np.ndarray,
        confidence: np.ndarray,
        places: np.ndarray,
        seconds: np.ndarray,
    ) -> np.ndarray:
        """Predict the probability that the right and left ankle of a person stand.

        Args:
            keypoints (np.ndarray): Pixels of a static camera, NaN if there is no image,
                (T, 17, 2).
            confidence (np.ndarray): Their confidence, (T, 17).
            places (np.ndarray): Joints in camera axes, meters, (T, 17, 3).
            seconds (np.ndarray): Timestamps, (T,).

        Returns:
            np.ndarray: Probabilities, (T, 2).
        """
        # On a treadmill feet move in the image: predict from the poses instead.
        if self.treadmill or np.isnan(keypoints).all():
            # Two views from the front and from the side, y down as in camera axes
            views = [places[..., [axis, 1]] for axis in (0, 2)]
            certain = np.ones(confidence.shape)
            sides = [predict_contacts(view, certain, seconds) for view in views]
            stands = np.mean(sides, axis=0)
        else:
            stands = self.contacts(keypoints, confidence, seconds)
            # Legs that are never seen hang straight; held feet would bend them.
            stands = stands * confidence[:, _KNEES_AND_ANKLES].any((0, 2))
        return np.where(stands < self.contact_limits.min_contact, 0, stands)

    def _lock_toes(
        self,
        poses: np.ndarray,
        root: np.ndarray,
        legs: FootSolver,
        stands: np.ndarray,
        parents: tuple[int, ...],
    ) -> None:
        """Move toes and heels with the ankles, then keep them at rest while they stand.

        ``poses`` is changed in place.

        Args:
            poses (np.ndarray): Poses of one person with corrected legs, meters,
                (T, K, 3).
            root (np.ndarray): Corrected root positions, meters, (T, 3).
            legs (FootSolver): Solver, with the poses before the correction.
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).
            parents (tuple[int, ...]): Parent of each joint.
        """
        for ankle, rests in zip(ANKLES, stands.T, strict=True):
            ends = [joint for joint, parent in enumerate(parents) if parent == ankle]
            if not ends:
                continue  # only h36m-24 has toes and heels
            poses[:, ends] += (poses - legs.poses)[:, [ankle]]
            points = poses[:, [ankle, *ends]] + root[:, None]
            held = hold_foot(points, rests, legs.seconds, self.toe_errors)
            poses[:, ends] = held - root[:, None]


def _warn(text: str, clip: Clip3D, people: set[int]) -> None:
    """Warn of people, by track ID, with a text about the clip and them."""
    _LOGGER.warning(ArgumentError(text, clip.name, list_people(people)))
