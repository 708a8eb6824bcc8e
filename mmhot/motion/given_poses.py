"""3D poses of other tools: tracks, gaps, joints and bones as lifted ones have them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.io.readers.options import SingleOption
from mmhot.lifting.clip_encoder import MAX_POSES
from mmhot.lifting.gaps import GapFiller, interpolate_missing
from mmhot.lifting.refinement import BoneErrors, keep_bone_lengths
from mmhot.lifting.world import place_people
from mmhot.motion.camera_path import static_path
from mmhot.motion.lens import LensOptions
from mmhot.motion.people import PeopleOption, PersonSpan, choose_people
from mmhot.options import option, options_of
from mmhot.skeletons.joints import (
    SKELETONS,
    Skeleton,
    convert_keypoints,
    get_skeleton,
)
from mmhot.state import State, Step
from mmhot.structures.clips import Clip3D, to_axes
from mmhot.structures.lens import assumed_focal
from mmhot.structures.people import People, box_size
from mmhot.tracking.clip_tracks import LinkLimits, track_clip

_LOGGER = logging.getLogger(__name__)
_BODY, _ALL = get_skeleton('h36m-17'), get_skeleton('h36m-24')
_MAPPING = 'trained'


def is_finished(clip: Clip3D) -> bool:
    """Return whether mmhot lifted or refined a clip."""
    return bool(clip.model) or 'bones' in clip.steps


@dataclass(frozen=True)
class VirtualImage:
    """Images in which people without 2D keypoints are tracked."""

    focal: float = 1000.0  # of people in front of a camera, pixels
    scale: float = 250.0  # of others, pixels per meter
    nearest: float = 1.0  # from which depths are those of a camera, meters


@dataclass(frozen=True, kw_only=True)
class TakePoses(PeopleOption, SingleOption, LensOptions, Step):
    """Follow people, fill gaps, and convert joints to Human3.6M's, 24 and fingers."""

    name, optional = 'poses', False
    title = 'poses'

    joints: Any = option(
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose "
        'and, beside them, fingers (default: 24 where the inputs have them)',
        convert=int,
        choices=(17, 24),
        expected='17 or 24',
    )
    kpt_thr: float | None = option(
        'minimum confidence of joints; lower ones count as missing (default: none)',
        low=0,
        high=1,
    )
    image: VirtualImage = VirtualImage()
    tracks: LinkLimits = LinkLimits()

    def __call__(self, state: State) -> State:
        """State poses in 'camera' axes, or 'world' axes if they are in these.

        Raises:
            ArgumentError: If an option cannot act on the clip.
        """
        clip = state.clip_3d()
        if is_finished(clip):
            self.refuse(options_of(TakePoses), 'is for poses of other tools, not ours')
        lens_options = options_of(LensOptions)
        if np.isfinite(clip.root_3d).any() or np.isnan(clip.keypoints_2d).all():
            reason = 'is for poses with 2D keypoints and without positions'
            self.refuse(lens_options, reason)
        return replace(state, poses=self.take(clip))

    def take(self, clip: Clip3D) -> Clip3D:
        """Convert a clip to poses as those that mmhot lifts."""
        clip = clip if clip.axes == 'world' else to_axes(clip, 'camera')
        if not is_finished(clip):
            clip = self._fill(self._choose(self._link(clip)))
            size = clip.width, clip.height
            if np.isnan(clip.root_3d).all() and np.isfinite(clip.keypoints_2d).any():
                clip = place_people(clip, self.lens_of(*size))
            focal = clip.focal_length or assumed_focal(*size)
            clip = replace(clip, focal_length=focal)
        if clip.axes == 'world' and clip.camera_path is None and len(clip):
            clip = replace(clip, camera_path=static_path(int(clip.frame.max()) + 1))
        return clip.checked()

    def _link(self, clip: Clip3D) -> Clip3D:
        """Number people whose track IDs are unknown, or take the largest ones."""
        boxes = self._boxes(clip)
        numbers = np.unique(clip.frame)
        index = np.searchsorted(numbers, clip.frame)
        is_known = bool((clip.track >= 0).all())
        if 'largest' in (self.single, self.people if not is_known else ''):
            order = np.lexsort((-box_size(boxes), clip.frame))
            kept = order[np.r_[True, np.diff(clip.frame[order]) > 0]]
            return replace(clip.take(kept), track=np.zeros(len(kept), np.int64))
        if is_known:
            return clip
        corners = boxes.reshape(-1, 2, 2).astype(np.float32)
        ones = np.ones(len(clip), np.float32)
        people, rows = [], [np.flatnonzero(index == x) for x in range(len(numbers))]
        for own in rows:
            known = ones[own], corners[own], np.ones((len(own), 2), np.float32)
            people.append(People(boxes[own].astype(np.float32), *known))
        track = np.full(len(clip), -1)
        for found in track_clip(people, clip.fps, limits=self.tracks):
            for frame, box in zip(found.frames, found.boxes, strict=True):
                apart = np.abs(people[frame].bboxes - box).sum(1)
                track[rows[frame][apart.argmin()]] = found.track
        clip = replace(clip, track=track).take(np.lexsort((track, clip.frame)))
        return clip.take(clip.track >= 0)

    def _choose(self, clip: Clip3D) -> Clip3D:
        """Take the people that were chosen, or list them."""
        boxes, spans = self._boxes(clip), []
        heights = boxes[:, 3] - boxes[:, 1]
        for track in clip.track_ids:
            rows = clip.track == track
            times = clip.seconds(clip.frame[rows])
            spans.append(PersonSpan(track, times, float(np.median(heights[rows]))))
        chosen = choose_people(clip.name, spans, self.people, self.report.say)
        return clip.take(np.isin(clip.track, chosen))

    def _boxes(self, clip: Clip3D) -> np.ndarray:
        """Return boxes (N, 4) around people, in pixels or in those of a stand-in."""
        pixels = clip.keypoints_2d.astype(np.float64)
        if np.isnan(pixels).all():
            image, places = self.image, clip.places().astype(np.float64)
            depth = places[..., 2].mean(1, where=np.isfinite(places[..., 2]))
            is_seen = clip.axes == 'camera' and np.median(depth) > image.nearest
            scale = image.focal / depth if is_seen else np.array([image.scale])
            up = places[..., 1] if clip.axes == 'camera' else -places[..., 2]
            pixels = np.stack([places[..., 0], up], -1) * scale[:, None, None]
        low, high = np.nanmin(pixels, 1), np.nanmax(pixels, 1)
        return np.concatenate([low, high], 1)

    def _fill(self, clip: Clip3D) -> Clip3D:
        """Convert joints, and fill gaps and missing joints."""
        source = _skeleton_of(clip)
        target = self._target(source)
        names, parents, extras = _with_fingers(source, target)
        is_placed = bool(np.isfinite(clip.root_3d).all())
        columns: dict[str, list[np.ndarray]] = {x: [] for x in _COLUMNS}
        for track in clip.track_ids:
            own = clip.take(clip.track == track)
            scores = np.where(own.scores >= (self.kpt_thr or 0), own.scores, 0)
            places = own.keypoints_3d + (own.root_3d[:, None] if is_placed else 0)
            places = np.where(scores[..., None] > 0, places, np.nan)
            pixels, _ = _convert(own.keypoints_2d, scores, source, target, extras)
            places, scores = _convert(places, scores, source, target, extras)
            never = np.isnan(places).any(-1).all(0)
            if never[: _BODY.num_keypoints].any():
                text = '%s: person %d has no %s; left out'
                _LOGGER.warning(text, clip.name, track, names[int(never.argmax())])
                continue
            for joint in np.flatnonzero(never):
                places[:, joint] = places[:, parents[joint]]
            for values in self._segments(own, places, scores, pixels):
                for name, value in values.items():
                    columns[name].append(value)
                columns['track'].append(np.full(len(values['frame']), track))
        if not columns['frame']:
            raise ValueError(f'{clip.name}: no pose of a person is left')
        if sum(map(len, columns['frame'])) > MAX_POSES:
            raise ValueError(f'{clip.name}: more than {MAX_POSES:,} poses; split it')
        arrays: dict[str, Any] = {x: np.concatenate(y) for x, y in columns.items()}
        order = np.lexsort((arrays['track'], arrays['frame']))
        arrays = {x: values[order] for x, values in arrays.items()}
        places, frame = arrays.pop('places'), arrays['frame']
        arrays['root_3d'] = places[:, 0] if is_placed else None
        return replace(
            clip,
            **arrays,
            keypoint_scores_3d=arrays['scores'],
            keypoints_3d=(places - places[:, :1]).astype(np.float32),
            time=None if clip.time is None else clip.seconds(frame),
            joint_names=names,
            parents=parents,
        )

    def _segments(
        self, own: Clip3D, places: np.ndarray, scores: np.ndarray, pixels: np.ndarray
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the columns of each motion of a person."""
        filler = GapFiller(own.fps, own.seconds, is_person=False)
        for each in filler.split(0, own.frame, places, scores):
            rows = np.isin(own.frame, each.frames)
            full = np.full((*each.scores.shape, 2), np.nan, np.float32)
            full[np.searchsorted(each.frames, own.frame[rows])] = pixels[rows]
            unknown = np.isnan(full).any(-1).all(0)
            full = interpolate_missing(full)
            full[:, unknown] = np.nan
            own_columns = each.frames, each.keypoints, each.scores, full
            names = 'frame', 'places', 'scores', 'keypoints_2d'
            yield dict(zip(names, own_columns, strict=True))

    def _target(self, source: Skeleton) -> Skeleton:
        """Return the 17 or 24 joints to convert to."""
        points = np.zeros((source.num_keypoints, 3))
        found, _, _ = convert_keypoints(points, None, source.name, _ALL.name, _MAPPING)
        lacking = np.isnan(found).any(-1)
        if lacking[: _BODY.num_keypoints].any():
            name = _BODY.joints[int(lacking.argmax())]
            raise ValueError(f'{source.name} does not determine the joint {name}')
        if self.joints == _ALL.num_keypoints and lacking.any():
            raise ArgumentError(
                '{joints=24} needs toes, heels, hands and nose: %s has no %s',
                source.name,
                _ALL.joints[int(lacking.argmax())],
            )
        is_body = self.joints == _BODY.num_keypoints or lacking.any()
        return _BODY if is_body else _ALL


_COLUMNS = ('frame', 'track', 'places', 'scores', 'keypoints_2d')


def _skeleton_of(clip: Clip3D) -> Skeleton:
    for skeleton in SKELETONS.values():
        if skeleton.joints == clip.joint_names:
            return skeleton
    raise ValueError(f'{clip.name}: its joints are of no skeleton that is registered')


def _with_fingers(
    source: Skeleton, target: Skeleton
) -> tuple[tuple[str, ...], tuple[int, ...], list[int]]:
    """Return joints and parents of the 24 joints and fingers, and the latter's indices.

    Fingers are the points of the source's groups of hands.
    """
    names, parents = list(target.joints), list(target.parents)
    hands = [source.groups.get(f'{side}_hand', ()) for side in ('left', 'right')]
    if target is _BODY:
        return target.joints, target.parents, []
    extras = [x for hand in hands for x in hand if x not in names]
    names += extras
    for name in extras:
        above = source.joints[source.parents[source.index(name)]]
        parents.append(names.index(above))
    return tuple(names), tuple(parents), source.indices(extras)


def _convert(
    points: np.ndarray,
    scores: np.ndarray,
    source: Skeleton,
    target: Skeleton,
    extras: list[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Convert points (T, K, C) and scores (T, K), and append those of fingers."""
    body, own, _ = convert_keypoints(points, scores, source.name, target.name, _MAPPING)
    body = np.concatenate([body, points[:, extras]], 1)
    return body, np.concatenate([own, scores[:, extras]], 1)


@dataclass(frozen=True, kw_only=True)
class KeepBones(Step):
    """Step ``bones``: bones get constant lengths."""

    name, of_people = 'bones', True

    errors: BoneErrors = BoneErrors()  # of a camera's, whose depth is least certain
    rigid: BoneErrors = BoneErrors(across=1.0, length=0.01, rounds=6)  # after that

    def __call__(self, state: State) -> State:
        """Move joints, those of other tools rather along the line of sight."""
        return replace(state, poses=self.keep(state.clip_3d()))

    def keep(self, clip: Clip3D) -> Clip3D:
        """Return the clip with bones of constant lengths."""
        poses, count = clip.keypoints_3d.astype(np.float64), _BODY.num_keypoints
        has_sights = clip.axes != 'world' and not is_finished(clip)
        above_of = {x: [clip.parents[x]] for x in range(count, len(clip.parents))}
        order = TopologicalSorter(above_of).static_order()
        outwards = [joint for joint in order if joint in above_of]
        for track in clip.track_ids:
            rows = clip.track == track
            old, sights = poses[rows], np.nan_to_num(clip.root_3d[rows])
            sights = np.where(sights.any(-1, keepdims=True), sights, [0, 0, 1])
            new = old.copy()
            if has_sights:  # lifters do the same
                new[:, :count] = keep_bone_lengths(new[:, :count], sights, self.errors)
            new[:, :count] = keep_bone_lengths(new[:, :count], sights, self.rigid)
            for joint in outwards:
                above = clip.parents[joint]
                bone = old[:, joint] - old[:, above]
                length = np.linalg.norm(bone, axis=-1, keepdims=True)
                scale = np.median(length) / length.clip(1e-6)
                new[:, joint] = new[:, above] + bone * scale
            poses[rows] = new
        return replace(clip, keypoints_3d=poses.astype(np.float32))
