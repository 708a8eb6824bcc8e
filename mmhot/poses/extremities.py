"""Toes, heels, hands and noses of lifted people, from 2D keypoints that have them.

Each point keeps a constant distance from its joint. Where it is not seen, it follows
from the neighboring bones: a foot from the shin, a hand from the forearm.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.geometry.keypoint_arrays import relative_scores
from mmhot.lifting.lifted import Lifted, LiftedStep
from mmhot.poses.contacts import predict_contacts
from mmhot.poses.offset_fit import OffsetErrors, Offsets, fit_offsets, side_view
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D

SKELETON = get_skeleton('h36m-24')
_BODY = get_skeleton('h36m-17')
_FACE = get_skeleton('coco-17')
_ADDED = SKELETON.joints[_BODY.num_keypoints :]
_EARS = 'left_ear', 'right_ear'


@dataclass(frozen=True)
class Part:
    """Points on one joint: expected offsets (P, 3) and their standard deviations.

    Axes are side, up, forward, in units of a bone. Pairs of points have constant
    distances; -1 is the joint.
    """

    points: tuple[str, ...]
    mean: tuple[tuple[float, float, float], ...]
    error: tuple[tuple[float, float, float], ...]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PartShapes:
    """Expected shapes of feet, hands and heads, and the fit of their lengths."""

    # means and deviations of 17,000 rendered feet, the latter rounded up
    foot: Part = Part(
        ('big_toe', 'heel'),
        ((-0.10, -0.07, 0.50), (0.0, -0.165, -0.063)),
        ((0.10, 0.14, 0.07), (0.04, 0.05, 0.05)),
        ((0, -1), (1, -1), (0, 1)),
    )
    hand: Part = Part(('hand',), ((0.0, 0.34, 0.0),), ((0.15, 0.06, 0.15),), ((0, -1),))
    # in units of the distance from the shoulders to the ears
    head: Part = Part(
        ('nose', 'left_ear', 'right_ear'),
        ((0.0, 0.0, 0.44), (0.31, 0.0, 0.0), (-0.31, 0.0, 0.0)),
        ((0.25, 0.12, 0.12), (0.1, 0.05, 0.2), (0.1, 0.05, 0.2)),
        ((0, -1), (1, -1), (2, -1), (0, 1), (0, 2), (1, 2)),
    )
    ankle_shift: float = 0.055  # of COCO's ankle above Human3.6M's, share of the shin
    # shares of joints 10 and 11/14 in the middle of the ears, see docs/mmpose.md
    ears: tuple[float, float] = (0.75, 0.25)
    min_seconds: float = 0.2  # from which contacts are known
    side_view: float = 0.85  # least share of a length across the line of sight
    min_frames: int = 8  # that show a length so
    percentile: float = 80  # of sizes in the image that is the distance in space
    length_errors: tuple[float, ...] = (0.03, 0.015, 0.004)  # m, round by round
    ray_error: float = 0.01  # noise of a 2D point at its joint's distance, m
    ray_errors: tuple[float, float] = (0.002, 0.03)  # its limits, m
    fit: OffsetErrors = OffsetErrors()


@dataclass(frozen=True, kw_only=True)
class AddJoints(LiftedStep):
    """Step ``joints``: Human3.6M's 17 extended to the 24 of ``h36m-24``."""

    name, of_people = 'joints', True

    joints: Annotated[
        Literal[17, 24],
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose",
    ] = 17
    shapes: PartShapes = PartShapes()

    def __call__(self, clip: Clip3D, lifted: Lifted) -> Clip3D:
        """Add the joints, if they were chosen."""
        if self.joints == _BODY.num_keypoints:
            return clip
        return self.extend(clip, lifted.keypoints, lifted.mapping)

    def extend(
        self, clip: Clip3D, keypoints: Clip2D, mapping: str = 'trained'
    ) -> Clip3D:
        """Add toes, heels, hands and nose to a clip in ``'camera'`` axes.

        The 2D keypoints that were lifted have any skeleton. Points without one have
        scores of 0, and the projection of their position as ``keypoints_2d``.
        """
        lens = keypoints.lens and keypoints.lens.fitted(clip.width, clip.height)
        center = np.array([clip.width, clip.height]) / 2
        points, scores = _detected(clip, keypoints, mapping)
        pixels = np.concatenate([clip.keypoints_2d, points], 1)
        pixels = pixels if lens is None else lens.undistort(pixels)
        rays = (pixels - center) / clip.focal_length
        confidence = np.concatenate([clip.scores, scores], 1)
        confidence = relative_scores(confidence, clip.scores)
        points, scores = points[:, : len(_ADDED)], scores[:, : len(_ADDED)]
        # rays count only of people with a position
        unplaced = np.isnan(clip.root_3d).any(-1)
        confidence[unplaced] = 0
        root = np.where(unplaced[:, None], [0, 0, 1], clip.root_3d)
        offsets = np.zeros((*scores.shape, 3))
        for rows in clip.stretches():
            stretch = replace(clip.take(rows), root_3d=root[rows])
            person = _Person(stretch, rays[rows], confidence[rows], self.shapes)
            offsets[rows] = person.extremities()
        poses = np.concatenate([clip.keypoints_3d, offsets], 1).astype(np.float32)
        added = poses[:, _BODY.num_keypoints :] + clip.root_3d[:, None]
        shown = added[..., :2] / added[..., 2:].clip(1e-3) * clip.focal_length + center
        is_seen = (scores > 0)[..., None]
        shown = np.where(is_seen, points, shown).astype(np.float32)
        errors = clip.expected_error
        if errors is not None:
            errors = np.pad(errors, ((0, 0), (0, len(_ADDED))), constant_values=np.nan)
        return replace(
            clip,
            joint_names=SKELETON.joints,
            parents=SKELETON.parents,
            keypoints_3d=poses,
            keypoint_scores_3d=np.concatenate([clip.keypoint_scores_3d, scores], 1),
            keypoints_2d=np.concatenate([clip.keypoints_2d, shown], 1),
            scores=np.concatenate([clip.scores, scores], 1),
            expected_error=errors,
        )


def _detected(
    clip: Clip3D, seen: Clip2D, mapping: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return 2D points (N, 9, 2) and scores (N, 9) of the new joints and of ears."""
    points = np.full((len(clip), len(_ADDED) + len(_EARS), 2), np.nan)
    scores = np.zeros(points.shape[:2], np.float32)
    for track in seen.tracks:
        rows = np.flatnonzero(clip.track == track.track)
        frames = clip.frame[rows], track.frames
        _, at, of = np.intersect1d(*frames, return_indices=True)
        arrays = track.keypoints[of], track.scores[of], seen.skeleton
        for skeleton, names, first in ((SKELETON, _ADDED, 0), (_FACE, _EARS, 7)):
            pixels, confidence, _ = convert_keypoints(*arrays, skeleton.name, mapping)
            columns = slice(first, first + len(names))
            indices = skeleton.indices(names)
            points[rows[at], columns] = pixels[:, indices]
            scores[rows[at], columns] = confidence[:, indices]
    scores[~np.isfinite(points).all(-1)] = 0
    return points, scores


class _Person:
    """Consecutive frames of one person.

    Rays are 2D points over the focal length, of the joints of ``h36m-24`` and of ears,
    (T, 26, 2).
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
        self.stands = np.zeros((len(clip), 2))  # too little motion to judge
        if self.seconds[-1] - self.seconds[0] >= shapes.min_seconds:
            seen = clip.keypoints_2d, scores[:, : _BODY.num_keypoints]
            self.stands = predict_contacts(*seen, self.seconds)

    def extremities(self) -> np.ndarray:
        """Return the new joints relative to the root, (T, 7, 3)."""
        sides, shapes, placed = ('left_', 'right_'), self.shapes, {}
        for model, prefixes, parts in (
            (shapes.foot, sides, [self._foot(side) for side in sides]),
            (shapes.hand, sides, [self._hand(side) for side in sides]),
            (shapes.head, [''], [self._head()]),
        ):
            fitted = self._fit(parts)
            for prefix, part, offsets in zip(prefixes, parts, fitted, strict=True):
                for point, name in enumerate(model.points):
                    placed[prefix + name] = part.joints[:, point] + offsets[:, point]
        return np.stack([placed[name] for name in _ADDED], 1) - self.root[:, None]

    def _foot(self, side: str) -> Offsets:
        hip, knee, ankle = (self.joints[side + x] for x in ('hip', 'knee', 'foot'))
        bend = unit_vectors(knee - hip) + unit_vectors(knee - ankle)
        forward = 0.5 * self._forward() + bend
        joint = ankle + self.shapes.ankle_shift * (knee - ankle)
        stands = self.stands[:, 0 if side == 'right_' else 1]
        start, foot = f'{side}foot', self.shapes.foot
        return self._offsets(foot, joint, start, side, knee - ankle, forward, stands)

    def _hand(self, side: str) -> Offsets:
        wrist, elbow = self.joints[f'{side}wrist'], self.joints[f'{side}elbow']
        start, axes = f'{side}wrist', (wrist - elbow, self._forward())
        return self._offsets(self.shapes.hand, wrist, start, side, *axes)

    def _head(self) -> Offsets:
        ears = self.joints['ears']
        axes = ears - self.joints['neck'], self._forward()
        return self._offsets(self.shapes.head, ears, 'ears', '', *axes)

    def _forward(self) -> np.ndarray:
        """Return the direction in which the pelvis points, (T, 3)."""
        joints = self.joints
        across = joints['left_hip'] - joints['right_hip']
        return unit_vectors(np.cross(across, joints['thorax'] - joints['root']))

    def _offsets(
        self,
        part: Part,
        joint: np.ndarray,
        start: str,
        prefix: str,
        up: np.ndarray,
        forward: np.ndarray,
        flat: np.ndarray | None = None,
    ) -> Offsets:
        """Collect what is known of a part: its joint, and where that is in the image.

        Names of points have a prefix. The axis up (T, 3) is as long as the unit.
        """
        points = [prefix + name for name in part.points]
        scale, up = np.median(np.linalg.norm(up, axis=-1)), unit_vectors(up)
        forward = unit_vectors(forward - (forward * up).sum(-1, keepdims=True) * up)
        side = np.cross(up, forward) * (-1 if prefix == 'right_' else 1)
        axes = scale * np.stack([side, up, forward], axis=1)
        joint = joint + self.root
        # points relative to their joint's: the joint is not where its pixel is
        shift = joint[:, :2] / joint[:, 2:] - self.rays[start]
        rays = np.stack([self.rays[x] + shift for x in points], 1)
        scores = np.stack([self.scores[x] for x in points], 1)
        weights = np.minimum(scores, self.scores[start][:, None])
        weights = np.where(np.isfinite(rays).all(-1), weights.clip(0, 1), 0)
        inverse = axes / scale**2
        errors = np.array(part.error)
        precision = np.einsum('tai,pa,taj->tpij', inverse, errors**-2.0, inverse)
        mean = np.array(part.mean)
        # without the column of the joint
        ends = np.eye(len(points) + 1)[np.array(part.pairs), :-1]
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
            flat=np.zeros(len(joint)) if flat is None else flat,
            up=unit_vectors(np.median(unit_vectors(trunk), axis=0)),
            rests=np.zeros(weights.shape),
            ray_error=self._ray_error(rays * joint[:, None, 2:]),
        )

    def _ray_error(self, points: np.ndarray) -> float:
        """Estimate the noise of points (T, P, 2) by second differences, meters."""
        shapes, changes = self.shapes, np.diff(points, 2, axis=0)
        changes = np.abs(changes[np.isfinite(changes)])
        if len(changes) < shapes.min_frames:
            return shapes.ray_error
        # of white noise they have sqrt(6) times its deviation, 1.48 times their median
        error = 1.48 / np.sqrt(6) * np.median(changes)
        return float(np.clip(error, *shapes.ray_errors))

    def _fit(self, parts: list[Offsets]) -> list[np.ndarray]:
        """Fit offsets of one part, or of both sides with the same lengths."""
        for error in self.shapes.length_errors:
            parts = [replace(part, length_error=error) for part in parts]
            fitted = [fit_offsets(part, self.shapes.fit) for part in parts]
            lengths = self._lengths(parts, fitted)
            scale = np.median(lengths / parts[0].lengths)
            parts = [replace(x, lengths=lengths, mean=x.mean * scale) for x in parts]
        return fitted

    def _lengths(self, parts: list[Offsets], fitted: list[np.ndarray]) -> np.ndarray:
        """Return distances (L,), as frames show them from the side if enough do."""
        links, shapes, sizes = parts[0].links, self.shapes, []
        for part, offsets in zip(parts, fitted, strict=True):
            lines = links @ offsets
            across = side_view(lines, part.joints[:, :1])
            is_hidden = (part.weights == 0) @ (links != 0).T
            is_shown = (across > shapes.side_view) & ~is_hidden
            size = across * np.linalg.norm(lines, axis=-1)
            sizes.append(np.where(is_shown, size, np.nan))
        size, lengths = np.concatenate(sizes), parts[0].lengths.copy()
        enough = np.isfinite(size).sum(0) >= shapes.min_frames
        lengths[enough] = np.nanpercentile(size[:, enough], shapes.percentile, axis=0)
        return lengths
