"""Preparation of 3D poses of other tools: tracks, joints, gaps and positions.

Afterwards they are like lifted poses, for which all further steps are made.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.chain.keypoints.lens import LensOptions
from mmhot.chain.keypoints.people import (
    PeopleOption,
    SingleOption,
    choose_people,
)
from mmhot.chain.lifting.gaps import GapFiller, KnownJoints
from mmhot.chain.lifting.world import is_level, place_people, to_world
from mmhot.chain.step import PoseStep
from mmhot.chain.tracking.clip_tracks import track_clip
from mmhot.errors import ArgumentError
from mmhot.geometry.keypoint_arrays import (
    interpolate_missing,
    largest_rows,
    passed_seconds,
)
from mmhot.geometry.outliers import find_outliers, find_repeats, list_frames
from mmhot.options import Option, options_of
from mmhot.skeletons.joints import (
    SKELETONS,
    Skeleton,
    convert_keypoints,
    get_skeleton,
    part_of,
)
from mmhot.structures.clips_3d import Clip3D, join_rows, to_axes
from mmhot.structures.people import People, box_size

_LOGGER = logging.getLogger(__name__)
_BODY = get_skeleton('h36m-17')
_ALL = get_skeleton('h36m-24')
_MAPPING = 'trained'


class GivenStep(PoseStep, ABC):
    """A step that prepares poses of other tools; ours stay as they are."""

    title = 'poses'
    optional = False

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Prepare poses of other tools, in camera axes if their floor is unknown.

        Raises:
            ArgumentError: If an option of the step is stated for poses of ours.
        """
        if clip.axes != 'world' and not is_level(clip):
            clip = to_axes(clip, 'camera')
        if clip.model or clip.steps:  # mmhot lifted or refined it
            reason = 'is for poses of other tools, and mmhot has processed these'
            self.refuse(options_of(type(self)), reason)
            return clip
        return self.prepare(clip)

    @abstractmethod
    def prepare(self, clip: Clip3D) -> Clip3D:
        """Return the clip after the step."""


@dataclass(frozen=True, kw_only=True)
class FollowGiven(PeopleOption, SingleOption, GivenStep):
    """Follow people whose track IDs are unknown, and choose some."""

    name = 'people'

    def prepare(self, clip: Clip3D) -> Clip3D:
        """Number and choose people; times become seconds since the first frame."""
        if clip.variable_time is not None:
            passed = passed_seconds(clip.variable_time, clip.frame, clip.fps)
            clip = replace(clip, variable_time=passed + clip.frame[0] / clip.fps)
        return self._choose(self._link(clip))

    def _link(self, clip: Clip3D) -> Clip3D:
        """Number people whose track IDs are unknown, or take the largest ones."""
        boxes = self._boxes(clip)
        is_known = bool((clip.track >= 0).all())
        if self.single == 'largest' or (self.people == 'largest' and not is_known):
            clip = clip.take(largest_rows(clip.frame, box_size(boxes)))
            return replace(clip, track=np.zeros(len(clip), np.int64))
        if is_known:
            return clip
        # The tracker needs keypoints: the corners of the boxes.
        boxes = boxes.astype(np.float32)
        scores = np.ones((len(clip), 2), np.float32)
        everyone = People(boxes, scores[:, 0], boxes.reshape(-1, 2, 2), scores)
        starts = np.flatnonzero(np.diff(clip.frame)) + 1
        rows = np.split(np.arange(len(clip)), starts)
        people = [everyone.take(present) for present in rows]
        numbers = np.full(len(clip), -1)
        for track in track_clip(people, clip.fps):
            for frame, box in zip(track.frames, track.boxes, strict=True):
                apart = np.abs(people[frame].bboxes - box).sum(1)
                numbers[rows[frame][apart.argmin()]] = track.track
        clip = replace(clip, track=numbers).take(np.lexsort((numbers, clip.frame)))
        return clip.take(clip.track >= 0)

    def _choose(self, clip: Clip3D) -> Clip3D:
        """Take the people that were chosen."""
        boxes = self._boxes(clip)
        heights = boxes[:, 3] - boxes[:, 1]
        shown = {}
        for track in clip.track_ids:
            rows = clip.track == track
            shown[track] = int(rows.sum()), float(np.median(heights[rows]))
        chosen = choose_people(clip.name, shown, self.people)
        return clip.take(np.isin(clip.track, chosen))

    def _boxes(self, clip: Clip3D) -> np.ndarray:
        """Return boxes (N, 4) around people, pixels, or cm from the front."""
        pixels = clip.keypoints_2d.astype(np.float64)
        if np.isnan(pixels).all():
            axes = [0, 1] if clip.axes == 'camera' else [0, 2]
            pixels = 100 * clip.places()[..., axes].astype(np.float64)
        return np.concatenate([np.nanmin(pixels, 1), np.nanmax(pixels, 1)], 1)


class _Conversion:
    """Conversion to 17 or 24 joints; fingers follow the 24.

    Args:
        source (Skeleton): Skeleton of the poses.
        target (Skeleton): ``h36m-17`` or ``h36m-24``.

    Attributes:
        joints (tuple[str, ...]): Names of the new joints.
        parents (tuple[int, ...]): Their parents, -1 for the root.
    """

    def __init__(self, source: Skeleton, target: Skeleton) -> None:
        self._names = source.name, target.name
        # Points of hands that the 24 joints do not have
        hands = [source.groups.get(f'{side}_hand', ()) for side in ('left', 'right')]
        points = [x for hand in hands for x in hand if x not in _ALL.joints]
        self._fingers = [source.index(x) for x in points if target is _ALL]
        self.joints = (*target.joints, *(source.joints[x] for x in self._fingers))
        bases = [source.joints[source.parents[x]] for x in self._fingers]
        self.parents = (*target.parents, *map(self.joints.index, bases))

    def __call__(
        self, points: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Convert points (T, K, C) and scores (T, K) to K' joints."""
        body, known, _ = convert_keypoints(points, scores, *self._names, _MAPPING)
        points = np.append(body, points[:, self._fingers], axis=1)
        return points, np.append(known, scores[:, self._fingers], axis=1)


@dataclass(frozen=True, kw_only=True)
class FillGiven(GivenStep):
    """Convert joints to Human3.6M's, 24 and fingers, and fill gaps."""

    name = 'gaps'

    joints: Annotated[
        Literal[17, 24] | None,
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and "
        'nose, plus fingers if there are any (default: 24 if the inputs have them)',
    ] = None
    kpt_thr: Annotated[
        float | None,
        'minimum confidence of joints; lower ones count as missing (default: none)',
        Option(low=0, high=1),
    ] = None

    def prepare(self, clip: Clip3D) -> Clip3D:
        """Convert joints, and fill gaps and missing joints.

        Raises:
            ArgumentError: If 24 joints are wanted that the poses do not have.
            ValueError: If no pose is left, or the joints are of no known skeleton.
        """
        source = _skeleton_of(clip)
        convert = _Conversion(source, self._target(source))
        motions: list[dict[str, np.ndarray]] = []
        for track in clip.track_ids:
            person = clip.take(clip.track == track)
            scores = np.where(person.scores >= (self.kpt_thr or 0), person.scores, 0)
            pixels, _ = convert(person.keypoints_2d, scores)
            places, scores = convert(_without_outliers(person, scores), scores)
            body = places[:, : _BODY.num_keypoints]
            if np.isfinite(body).all(-1).any():
                places = _complete(places, convert.parents, clip.axes != 'camera')
                motions += _motions_of(person, places, scores, pixels)
        if not motions:
            raise ValueError(f'{clip.name}: no joint of the body is known in any frame')
        arrays = join_rows(motions)
        times = clip.seconds(arrays['frame'])
        return replace(
            clip,
            **arrays,
            keypoint_scores_3d=arrays['scores'],
            variable_time=None if clip.variable_time is None else times,
            joint_names=convert.joints,
            parents=convert.parents,
        )

    def _target(self, source: Skeleton) -> Skeleton:
        """Return the 17 or 24 joints to convert to."""
        points = np.zeros((source.num_keypoints, 3))
        poses, _, _ = convert_keypoints(points, None, source.name, _ALL.name, _MAPPING)
        lacking = np.isnan(poses).any(-1)
        if self.joints == _ALL.num_keypoints and lacking.any():
            raise ArgumentError(
                '{joints=24} needs toes, heels, hands and nose: %s has no %s',
                source.name,
                _ALL.joints[int(lacking.argmax())],
            )
        is_body = self.joints == _BODY.num_keypoints or lacking.any()
        return _BODY if is_body else _ALL


@dataclass(frozen=True, kw_only=True)
class PlaceGiven(LensOptions, GivenStep):
    """Place people who have 2D keypoints and no positions."""

    name = 'placement'

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Place people, and check the clip.

        Raises:
            ArgumentError: If an option of the lens is stated that no position needs.
        """
        if np.isfinite(clip.root_3d).any() or np.isnan(clip.keypoints_2d).all():
            self.refuse(
                options_of(LensOptions),
                'is for poses with 2D keypoints and without positions',
            )
        return super().__call__(clip).checked()

    def prepare(self, clip: Clip3D) -> Clip3D:
        """Add positions, and the lens."""
        size = clip.width, clip.height
        if np.isnan(clip.root_3d).all() and np.isfinite(clip.keypoints_2d).any():
            clip = place_people(clip, self.lens_of(*size) or clip.lens)
        return to_world(clip) if is_level(clip) else clip


# A standing person: meters to the left, to the front and up from the pelvis.
_STANDING = {
    'root': (0, 0, 0),
    'hip': (0.09, 0, 0),
    'knee': (0.09, 0, -0.41),
    'foot': (0.09, 0, -0.84),
    'spine': (0, 0, 0.23),
    'thorax': (0, 0, 0.52),
    'neck_base': (0, 0, 0.66),
    'head': (0, 0, 0.78),
    'shoulder': (0.18, 0, 0.5),
    'elbow': (0.19, 0, 0.22),
    'wrist': (0.2, 0, -0.05),
}
_PLACES = np.array([_STANDING[part_of(x)] for x in _BODY.joints])
_PLACES[_BODY.right, 0] *= -1


def _without_outliers(person: Clip3D, scores: np.ndarray) -> np.ndarray:
    """Return the positions of a person, with NaN instead of wrong positions.

    If a frame repeats the one before, or its root or most of its joints are wrong, the
    whole frame is NaN. Unknown roots are interpolated.

    Args:
        person (Clip3D): Poses of one person in T frames.
        scores (np.ndarray): Confidence, 0 for missing joints, (T, K).

    Returns:
        np.ndarray: Positions, NaN where unknown or wrong, (T, K, 3); relative to the
        root if it is never known.
    """
    seconds = person.seconds(person.frame)
    roots = person.root_3d.astype(np.float64)
    poses = np.where(scores[..., None] > 0, person.keypoints_3d, np.nan)
    is_repeated = find_repeats(poses + np.nan_to_num(roots)[:, None], seconds)
    if is_repeated.any():
        _LOGGER.info(
            '%s: person %d: %d of %d frames repeat the frame before; they are '
            'interpolated between the others',
            person.name,
            person.track[0],
            is_repeated.sum(),
            len(poses),
        )
        poses[is_repeated] = roots[is_repeated] = np.nan
    num_known = np.isfinite(poses).all(-1).sum(1)
    outliers = find_outliers(np.append(poses, roots[:, None], axis=1), seconds)
    wrong = outliers[:, :-1]
    is_lost = outliers[:, -1] | (wrong.sum(1) > num_known / 2)
    wrong[is_lost] = False
    if is_lost.any() or wrong.any():
        _LOGGER.info(
            '%s: person %d: positions that jump away for a moment and come back were '
            'replaced (frames: %s)',
            person.name,
            person.track[0],
            list_frames(
                (*person.joint_names, 'whole poses'),
                np.append(wrong.sum(0), is_lost.sum()),
            ),
        )
    poses[wrong | is_lost[:, None]] = np.nan
    roots[is_lost] = np.nan
    roots = interpolate_missing(roots[:, None], seconds)  # zero if none is known
    return poses + roots


def _complete(places: np.ndarray, parents: Sequence[int], is_world: bool) -> np.ndarray:
    """Place joints that are never seen where a standing person has them.

    Joints beyond the body are at their parents. Joints that are seen in few frames are
    not known, as in lifting.

    Args:
        places (np.ndarray): Joints, meters, NaN where unknown, (T, K, 3).
        parents (Sequence[int]): Parent of each joint.
        is_world (bool): Whether z is up; otherwise y is down.

    Returns:
        np.ndarray: Joints, each known in some frame, (T, K, 3).
    """
    body = _BODY.num_keypoints
    seen = np.isfinite(places).all(-1)
    places = places.copy()
    is_rare = seen.mean(0) < KnownJoints().min_share * seen.any(1).mean()
    if not is_rare[:body].all():
        places[:, is_rare] = np.nan
    never = np.isnan(places).any(-1).all(0)
    if never[:body].any():
        full = interpolate_missing(places[:, :body].astype(np.float64))
        up = np.array([0, 0, 1] if is_world else [0, -1, 0])
        _stand(full, never[:body], up)
        places[:, :body][:, never[:body]] = full[:, never[:body]]
    for joint in (body + np.flatnonzero(never[body:])).tolist():
        places[:, joint] = places[:, parents[joint]]
    return places


def _stand(body: np.ndarray, never: np.ndarray, up: np.ndarray) -> None:
    """Place unknown joints of one person, in place.

    A joint between two known joints is in their middle. The others have the offset from
    a neighbor that an adult has who stands along the axes.

    Args:
        body (np.ndarray): Human3.6M's joints, meters, (T, 17, 3).
        never (np.ndarray): Joints that are unknown in all frames, (17,) bool.
        up (np.ndarray): Upward direction, (3,).
    """
    placed = ~never
    for above, joint in _BODY.bones:
        below = [child for parent, child in _BODY.bones if parent == joint]
        if placed[above] and not placed[joint] and len(below) == 1 and placed[below[0]]:
            body[:, joint] = (body[:, above] + body[:, below[0]]) / 2
            placed[joint] = True
    left = np.array([1.0, 0, 0])
    places = _PLACES @ np.stack([left, np.cross(up, left), up])
    neighbors = [*_BODY.bones, *(bone[::-1] for bone in _BODY.bones)]
    while not placed.all():
        anchor, joint = next(x for x in neighbors if placed[x[0]] and not placed[x[1]])
        body[:, joint] = body[:, anchor] + places[joint] - places[anchor]
        placed[joint] = True


def _skeleton_of(clip: Clip3D) -> Skeleton:
    """Return the registered skeleton of the joints of a clip."""
    for skeleton in SKELETONS.values():
        if skeleton.joints == clip.joint_names:
            return skeleton
    raise ValueError(
        f'{clip.name}: no skeleton has the joints {", ".join(clip.joint_names[:3])}, '
        '...: add it with mmhot.skeletons.joints.register_skeleton'
    )


def _motions_of(
    person: Clip3D, places: np.ndarray, scores: np.ndarray, pixels: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the arrays of each motion of a person without its gaps.

    Places are (T, K, 3), scores (T, K), and pixels (T, K, 2).
    """
    is_placed = np.isfinite(person.root_3d).all(-1).any()
    filler = GapFiller(person.fps, person.seconds, is_person=False)
    for motion in filler.split(person.track[0], person.frame, places, scores):
        rows = np.isin(person.frame, motion.frames)
        image = np.full((*motion.scores.shape, 2), np.nan, np.float32)
        image[np.searchsorted(motion.frames, person.frame[rows])] = pixels[rows]
        unknown = np.isnan(image).any(-1).all(0)
        image = interpolate_missing(image)
        image[:, unknown] = np.nan
        root = motion.keypoints[:, 0]
        yield dict(
            frame=motion.frames,
            track=np.full(len(motion.frames), motion.track),
            scores=motion.scores,
            keypoints_2d=image,
            keypoints_3d=motion.keypoints - root[:, None],
            root_3d=root if is_placed else root * np.nan,
        )
