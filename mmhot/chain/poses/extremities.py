"""Toes, heels, hands and noses for lifted people, from 2D keypoints.

Each point keeps a constant distance from its joint. Where it is not seen, it follows
the neighboring bone: a foot follows the shin, a hand the forearm.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.chain.lifting.lifted import Lifted, LiftedStep
from mmhot.chain.poses.contacts import predict_contacts
from mmhot.chain.poses.offset_fit import Offsets, fit_offsets, side_view
from mmhot.geometry.keypoint_arrays import relative_scores
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import Lens

SKELETON = get_skeleton('h36m-24')
_BODY = get_skeleton('h36m-17')
_FACE = get_skeleton('coco-17')
_ADDED = SKELETON.joints[_BODY.num_keypoints :]
_EARS = ('left_ear', 'right_ear')
_SIDES = ('left_', 'right_')


@dataclass(frozen=True)
class Part:
    """Expected positions of the P points that hang on one joint.

    Axes are side, up and forward, in units of the neighboring bone's length.
    """

    points: tuple[str, ...]  # names of the points, without their side
    mean: tuple[tuple[float, float, float], ...]  # offsets from the joint, (P, 3)
    error: tuple[tuple[float, float, float], ...]  # their standard deviations, (P, 3)
    pairs: tuple[tuple[int, int], ...]  # points at constant distances; -1: the joint


@dataclass(frozen=True)
class PartShapes:
    """Expected shapes of feet, hands and heads, and the fit of their lengths."""

    # Mean and standard deviation (rounded up) over 17,000 rendered feet. The unit is
    # the shin.
    foot: Part = Part(
        ('big_toe', 'heel'),
        ((-0.10, -0.07, 0.50), (0.0, -0.165, -0.063)),
        ((0.10, 0.14, 0.07), (0.04, 0.05, 0.05)),
        ((0, -1), (1, -1), (0, 1)),
    )
    # The unit is the forearm.
    hand: Part = Part(('hand',), ((0.0, 0.34, 0.0),), ((0.15, 0.06, 0.15),), ((0, -1),))
    # The unit is the distance from the shoulders to the ears.
    head: Part = Part(
        ('nose', 'left_ear', 'right_ear'),
        ((0.0, 0.0, 0.44), (0.31, 0.0, 0.0), (-0.31, 0.0, 0.0)),
        ((0.25, 0.12, 0.12), (0.1, 0.05, 0.2), (0.1, 0.05, 0.2)),
        ((0, -1), (1, -1), (2, -1), (0, 1), (0, 2), (1, 2)),
    )
    # Ranges are those of three rendered people with 2 px of noise whose toes, hands and
    # heads are hidden for .8 s now and then: errors of these points in the image.
    # Height of COCO's ankle above Human3.6M's, as a share of the shin. 0 to 1 of it
    # change errors by 4 %, double is 18 % worse.
    ankle_shift: float = 0.055
    # Middle of the ears as a weighted mean of the head (joint 10) and of the middle of
    # the shoulders (11 and 14), see docs/mmpose.md; half or double is twice as bad
    ears: tuple[float, float] = (0.75, 0.25)
    # Seconds; foot contacts are not predicted for a shorter stretch of frames. Without
    # it toes in single images are 12 % worse; up to 10 of it clips of 5 s are equal.
    min_seconds: float = 0.2
    # A frame shows a length if at least this share of it is across the line of sight.
    # With half of it noses are 25 % worse; if no frame does, they are 19 % worse.
    min_share_across: float = 0.85
    # Frames that show a length; with fewer, the expected one stays. Half of it is
    # equal, double 1 % worse.
    min_frames: int = 8
    # Percentile of the lengths in these frames that is used. Half is 7 % worse.
    percentile: float = 80
    # m; standard deviations of the lengths, one for each round of the fit. Half of them
    # are 6 % worse for noses, double 2 % for toes.
    length_errors: tuple[float, ...] = (0.03, 0.015, 0.004)


@dataclass(frozen=True, kw_only=True)
class AddJoints(LiftedStep):
    """Step ``joints``: extend Human3.6M's 17 joints to the 24 of ``h36m-24``."""

    name = 'joints'
    of_people = True

    joints: Annotated[
        Literal[17, 24],
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose",
    ] = 17
    shapes: PartShapes = PartShapes()

    def __call__(self, clip: Clip3D, lifted: Lifted) -> Clip3D:
        """Add the joints if 24 were chosen."""
        if self.joints == _BODY.num_keypoints:
            return clip
        return self.extend(clip, lifted.keypoints, lifted.mapping)

    def extend(
        self, clip: Clip3D, keypoints: Clip2D, mapping: str = 'trained'
    ) -> Clip3D:
        """Add toes, heels, hands and nose to a clip.

        Args:
            clip (Clip3D): Lifted poses in ``'camera'`` axes, 17 joints.
            keypoints (Clip2D): The 2D keypoints that were lifted, of any skeleton.
            mapping (str): How keypoints are converted, see
                :func:`mmhot.convert_keypoints`. Defaults to 'trained'.

        Returns:
            Clip3D: Poses with 24 joints. New points without a 2D keypoint have a score
            of 0, and their projection as ``keypoints_2d``.
        """
        points, scores = _detected(clip, keypoints, mapping)
        offsets = self._fit(clip, keypoints.lens, points, scores)
        poses = np.concatenate([clip.keypoints_3d, offsets], 1).astype(np.float32)
        added = poses[:, _BODY.num_keypoints :] + clip.root_3d[:, None]
        projected = added[..., :2] / added[..., 2:].clip(1e-3)
        center = np.array([clip.width, clip.height]) / 2
        projected = projected * clip.focal_length + center
        points = points[:, : len(_ADDED)]  # The ears only helped to find the nose.
        scores = scores[:, : len(_ADDED)]
        is_seen = (scores > 0)[..., None]
        points = np.where(is_seen, points, projected).astype(np.float32)
        errors = clip.expected_error
        if errors is not None:
            errors = np.pad(errors, ((0, 0), (0, len(_ADDED))), constant_values=np.nan)
        return replace(
            clip,
            joint_names=SKELETON.joints,
            parents=SKELETON.parents,
            keypoints_3d=poses,
            keypoint_scores_3d=np.concatenate([clip.keypoint_scores_3d, scores], 1),
            keypoints_2d=np.concatenate([clip.keypoints_2d, points], 1),
            scores=np.concatenate([clip.scores, scores], 1),
            expected_error=errors,
        )

    def _fit(
        self, clip: Clip3D, lens: Lens | None, points: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Fit the new joints of all people.

        Args:
            clip (Clip3D): Lifted poses in ``'camera'`` axes, 17 joints.
            lens (Lens | None): Lens of the images.
            points (np.ndarray): Pixels of the new joints and the ears, (N, 9, 2).
            scores (np.ndarray): Their scores, (N, 9).

        Returns:
            np.ndarray: New joints relative to the root, meters, (N, 7, 3).
        """
        pixels = np.concatenate([clip.keypoints_2d, points], 1)
        if lens is not None:
            pixels = lens.fitted(clip.width, clip.height).undistort(pixels)
        rays = (pixels - np.array([clip.width, clip.height]) / 2) / clip.focal_length
        confidence = np.concatenate([clip.scores, scores], 1)
        confidence = relative_scores(confidence, clip.scores)
        # Without a position, rays say nothing about a person.
        unplaced = np.isnan(clip.root_3d).any(-1)
        confidence[unplaced] = 0
        root = np.where(unplaced[:, None], [0, 0, 1], clip.root_3d)
        offsets = np.zeros((len(clip), len(_ADDED), 3))
        for rows in clip.stretches():
            stretch = replace(clip.take(rows), root_3d=root[rows])
            person = _Person(stretch, rays[rows], confidence[rows], self.shapes)
            offsets[rows] = person.extremities()
        return offsets


def _detected(
    clip: Clip3D, seen: Clip2D, mapping: str
) -> tuple[np.ndarray, np.ndarray]:
    """Collect 2D points of the 7 new joints and the ears from detected keypoints.

    Returns:
        tuple[np.ndarray, np.ndarray]: Pixels (N, 9, 2), NaN where missing, and scores
        (N, 9), 0 there.
    """
    points = np.full((len(clip), len(_ADDED) + len(_EARS), 2), np.nan)
    scores = np.zeros(points.shape[:2], np.float32)
    for track in seen.tracks:
        rows = np.flatnonzero(clip.track == track.track)
        _, at, of = np.intersect1d(clip.frame[rows], track.frames, return_indices=True)
        arrays = track.keypoints[of], track.scores[of], seen.skeleton
        for skeleton, joints, columns in (
            (SKELETON, _ADDED, slice(len(_ADDED))),
            (_FACE, _EARS, slice(len(_ADDED), None)),
        ):
            converted, found, _ = convert_keypoints(*arrays, skeleton.name, mapping)
            chosen = skeleton.indices(joints)
            points[rows[at], columns] = converted[:, chosen]
            scores[rows[at], columns] = found[:, chosen]
    scores[~np.isfinite(points).all(-1)] = 0
    return points, scores


@dataclass(frozen=True)
class _PartFrame:
    """Position and orientation of a part of one person in T frames."""

    part: Part  # expected shape
    start: str  # name of the joint that the part hangs on, in the image
    joint: np.ndarray  # position of this joint relative to the root, meters, (T, 3)
    up: np.ndarray  # neighboring bone, meters, (T, 3); it points away from the part
    forward: np.ndarray  # approximate forward direction, (T, 3)
    side: str = ''  # 'left_', 'right_' or ''
    # Probability that a foot stands flat on the floor, (T,); None for other parts
    stands: np.ndarray | None = None

    @property
    def points(self) -> list[str]:
        """Names of the part's points."""
        return [self.side + name for name in self.part.points]

    def axes(self) -> np.ndarray:
        """Compute unit vectors to the side, up and forward, (T, 3, 3).

        The side axis points away from the body, so that both sides have one shape.
        For a bone that points up and a person who faces z, it is x on the left:

        >>> up = np.array([[0.0, 0.4, 0.0]])
        >>> forward = np.array([[0.0, 0.3, 0.9]])
        >>> frame = _PartFrame(PartShapes().foot, 'left_foot', up, up, forward)
        >>> frame.axes()[0].round(6).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        """
        up = unit_vectors(self.up)
        level = self.forward - (self.forward * up).sum(-1, keepdims=True) * up
        forward = unit_vectors(level)
        side = np.cross(up, forward) * (-1 if self.side == 'right_' else 1)
        return np.stack([side, up, forward], axis=1)


class _Person:
    """Consecutive frames of one person.

    Args:
        clip (Clip3D): Poses of T frames in camera axes, with root positions.
        rays (np.ndarray): 2D points over the focal length: the joints of ``h36m-24``
            and both ears, (T, 26, 2).
        scores (np.ndarray): Confidence of these points, (T, 26).
        shapes (PartShapes): Expected shapes.
    """

    def __init__(
        self, clip: Clip3D, rays: np.ndarray, scores: np.ndarray, shapes: PartShapes
    ) -> None:
        self.shapes = shapes
        names = *SKELETON.joints, *_EARS
        poses = clip.keypoints_3d.astype(np.float64)
        self.joints = dict(zip(_BODY.joints, poses.swapaxes(0, 1), strict=True))
        self.root = clip.root_3d.astype(np.float64)
        self.rays = dict(zip(names, rays.swapaxes(0, 1), strict=True))
        self.scores = dict(zip(names, scores.T, strict=True))
        top, low = shapes.ears
        for values in (self.joints, self.rays, self.scores):
            neck = (values['left_shoulder'] + values['right_shoulder']) / 2
            values |= {'neck': neck, 'ears': top * values['head'] + low * neck}
        self.seconds = clip.seconds(clip.frame)
        self.stands = np.zeros((len(clip), 2))  # stays so if there is too little motion
        if self.seconds[-1] - self.seconds[0] >= shapes.min_seconds:
            self.stands = predict_contacts(
                clip.keypoints_2d, scores[:, : _BODY.num_keypoints], self.seconds
            )

    def extremities(self) -> np.ndarray:
        """Fit the new joints; return them relative to the root, meters, (T, 7, 3)."""
        placed: dict[str, np.ndarray] = {}
        for frames in (
            [self._foot(side) for side in _SIDES],
            [self._hand(side) for side in _SIDES],
            [self._head()],
        ):
            parts = [self._offsets(frame) for frame in frames]
            for frame, part, offsets in zip(
                frames, parts, self._fit(parts), strict=True
            ):
                places = part.joints + offsets
                placed |= zip(frame.points, places.swapaxes(0, 1), strict=True)
        return np.stack([placed[name] for name in _ADDED], 1) - self.root[:, None]

    def _foot(self, side: str) -> _PartFrame:
        """Return the frame of a foot, which continues in the direction of the knee."""
        hip, knee, ankle = (self.joints[side + x] for x in ('hip', 'knee', 'foot'))
        bend = unit_vectors(knee - hip) + unit_vectors(knee - ankle)
        forward = 0.5 * self._forward() + bend
        up = knee - ankle
        joint = ankle + self.shapes.ankle_shift * up
        stands = self.stands[:, 0 if side == 'right_' else 1]
        return _PartFrame(
            self.shapes.foot, f'{side}foot', joint, up, forward, side, stands
        )

    def _hand(self, side: str) -> _PartFrame:
        """Return the frame of a hand, which continues the forearm."""
        start = f'{side}wrist'
        wrist = self.joints[start]
        up = wrist - self.joints[f'{side}elbow']
        return _PartFrame(self.shapes.hand, start, wrist, up, self._forward(), side)

    def _head(self) -> _PartFrame:
        """Return the frame of the head, which faces where the pelvis does."""
        ears = self.joints['ears']
        up = ears - self.joints['neck']
        return _PartFrame(self.shapes.head, 'ears', ears, up, self._forward())

    def _forward(self) -> np.ndarray:
        """Return the forward direction of the pelvis, unit vectors (T, 3)."""
        joints = self.joints
        across = joints['left_hip'] - joints['right_hip']
        return unit_vectors(np.cross(across, joints['thorax'] - joints['root']))

    def _offsets(self, frame: _PartFrame) -> Offsets:
        """Collect the evidence for a part: expected shape, rays, and contacts."""
        points = frame.points
        joint = frame.joint + self.root
        # The expected shape is in units of the neighboring bone.
        scale = float(np.median(np.linalg.norm(frame.up, axis=-1)))
        axes = scale * frame.axes()
        mean = np.array(frame.part.mean)
        errors = np.array(frame.part.error)
        inverse = axes / scale**2
        precision = np.einsum('tai,pa,taj->tpij', inverse, errors**-2.0, inverse)
        # A lifted joint does not project exactly onto its pixel. Shift the points with
        # it, as their position relative to the joint is what counts.
        shift = joint[:, :2] / joint[:, 2:] - self.rays[frame.start]
        rays = np.stack([self.rays[x] + shift for x in points], 1)
        scores = np.stack([self.scores[x] for x in points], 1)
        weights = np.minimum(scores, self.scores[frame.start][:, None])
        weights = np.where(np.isfinite(rays).all(-1), weights.clip(0, 1), 0)
        # The column of the joint, index -1, is dropped: its offset is zero.
        ends = np.eye(len(points) + 1)[np.array(frame.part.pairs), :-1]
        links = ends[:, 0] - ends[:, 1]
        trunk = self.joints['thorax'] - self.joints['root']
        return Offsets(
            mean=np.einsum('tai,pa->tpi', axes, mean),
            precision=precision,
            joints=np.repeat(joint[:, None], len(points), 1),
            rays=np.where(np.isfinite(rays), rays, 0),
            weights=weights,
            links=links,
            lengths=scale * np.linalg.norm(links @ mean, axis=-1),
            seconds=self.seconds,
            flat=np.zeros(len(joint)) if frame.stands is None else frame.stands,
            up=unit_vectors(np.median(unit_vectors(trunk), axis=0)),
            rests=np.zeros(weights.shape),
        )

    def _fit(self, parts: list[Offsets]) -> list[np.ndarray]:
        """Fit the offsets of one part, or of both sides with common lengths.

        Returns offsets in meters, (T, P, 3), for each part.
        """
        for error in self.shapes.length_errors:
            parts = [replace(part, length_error=error) for part in parts]
            fitted = [fit_offsets(part) for part in parts]
            lengths = self._lengths(parts, fitted)
            scale = np.median(lengths / parts[0].lengths)
            parts = [replace(x, lengths=lengths, mean=x.mean * scale) for x in parts]
        return fitted

    def _lengths(self, parts: list[Offsets], fitted: list[np.ndarray]) -> np.ndarray:
        """Measure distances (L,) in frames that show them from the side.

        Without enough of these frames the expected distances stay.
        """
        shapes = self.shapes
        shown = []
        for part, offsets in zip(parts, fitted, strict=True):
            lines = part.links @ offsets
            across = side_view(lines, part.joints[:, :1])
            is_hidden = (part.weights == 0) @ (part.links != 0).T
            is_shown = (across > shapes.min_share_across) & ~is_hidden
            size = across * np.linalg.norm(lines, axis=-1)
            shown.append(np.where(is_shown, size, np.nan))
        sizes = np.concatenate(shown)  # frames of both sides, (T', L)
        lengths = parts[0].lengths.copy()
        enough = np.isfinite(sizes).sum(0) >= shapes.min_frames
        lengths[enough] = np.nanpercentile(sizes[:, enough], shapes.percentile, axis=0)
        return lengths
