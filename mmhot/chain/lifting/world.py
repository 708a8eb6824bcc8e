"""Absolute positions and sizes of lifted people, in camera axes and on a floor."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.chain.lifting import placement
from mmhot.chain.lifting.one_floor import fit_people, legs_unseen
from mmhot.chain.lifting.placement import FLOOR, ROOT_ERRORS
from mmhot.errors import ArgumentError
from mmhot.skeletons.joints import ANKLE_HEIGHT, get_skeleton
from mmhot.structures.clips_3d import BodyHeight, Clip3D, to_axes
from mmhot.structures.conventions import standing_axes
from mmhot.structures.lens import Lens, ideal_pixels

_LOGGER = logging.getLogger(__name__)
_BODY = slice(get_skeleton('h36m-17').num_keypoints)
_NO_AXES = np.empty((0, 3))
_Lines = dict[str, list[Clip3D]]  # lines of the log, and the shots that they are about


def place_people(clip: Clip3D, lens: Lens | None = None) -> Clip3D:
    """Estimate root positions of a clip in camera axes from its 2D keypoints.

    Errors of the focal length and of the body size scale the distances.

    Args:
        clip (Clip3D): Lifted poses in ``'camera'`` axes, with 2D keypoints.
        lens (Lens, optional): Lens of the images. By default it has no distortion, and
            the focal length of :func:`mmhot.structures.lens.assumed_focal`.

    Returns:
        Clip3D: The clip with ``root_3d`` and the lens.

    Raises:
        ValueError: If the clip has other axes or the lens does not fit its images.
    """
    if clip.axes != 'camera':
        raise ValueError(
            f"{clip.name}: people can be placed in 'camera' axes only, got "
            f'{clip.axes!r}'
        )
    size = clip.width, clip.height
    lens = lens and lens.fitted(*size)
    keypoints, focal = ideal_pixels(clip.keypoints_2d, size, lens)
    root = np.full((len(clip), 3), np.nan, np.float32)
    confidence = clip.confidence
    for rows in clip.stretches():
        root[rows] = placement.place_roots(
            clip.keypoints_3d[rows],
            keypoints[rows],
            np.maximum(confidence[rows], ROOT_ERRORS.min_weight),
            np.full(2, focal),
            np.array(size) / 2,
            clip.seconds(clip.frame[rows]),
        )
    return replace(
        clip,
        root_3d=root,
        lens=lens,
    )


def stated_heights(
    name: str,
    tracks: Sequence[int],
    heights: float | Sequence[float] | Mapping[int, float],
) -> dict[int, float]:
    """Assign stated body heights to people.

    Args:
        name (str): Name of the clip, for messages.
        tracks (Sequence[int]): Track IDs of the people.
        heights (float | Sequence[float] | Mapping[int, float]): Meters: one height for
            all people, one for each in the order of ``tracks``, or by track ID.

    Returns:
        dict[int, float]: Heights in meters by track ID.

    Raises:
        ArgumentError: If the number of heights or a track ID does not fit.
    """
    listed = ', '.join(map(str, tracks))
    if isinstance(heights, Mapping):
        for track in heights:
            if track not in tracks:
                raise ArgumentError(
                    '{height} must name people %s of %s, got person %s',
                    listed,
                    name,
                    track,
                )
        return dict(heights)
    meters = np.atleast_1d(heights).astype(float).tolist()
    if len(meters) == 1:
        meters *= len(tracks)
    if len(meters) != len(tracks):
        raise ArgumentError(
            '{height} must be one number, or one for each of the people %s of %s, '
            'got %s numbers',
            listed,
            name,
            len(meters),
        )
    return dict(zip(tracks, meters, strict=True))


def scale_people(
    clip: Clip3D, heights: float | Sequence[float] | Mapping[int, float]
) -> Clip3D:
    """Scale poses and root positions to stated body heights.

    The height of the ankles over the floor is the same for all people. If one floor
    shows the relative sizes of several people, and only some heights are stated, the
    others are scaled with them.

    Args:
        clip (Clip3D): Poses with root positions.
        heights (float | Sequence[float] | Mapping[int, float]): Meters, see
            :func:`stated_heights`.

    Returns:
        Clip3D: The scaled clip, with the stated heights.
    """
    tracks = [track for track in clip.heights if track in clip.track_ids]
    stated = stated_heights(clip.name, tracks or clip.track_ids, heights)
    sizes = {
        track: (height - ANKLE_HEIGHT) / lifted_height(clip, track)
        for track, height in stated.items()
    }
    shared = [
        track for track, height in clip.heights.items() if height.source == 'floor'
    ]
    factors = [sizes[track] for track in shared if track in sizes]
    if factors:
        mean = float(np.exp(np.log(factors).mean()))
        sizes = dict.fromkeys(shared, mean) | sizes
    scaled = resize(clip, sizes)
    known = {
        track: BodyHeight(height, 0.0, 'stated') for track, height in stated.items()
    }
    return replace(scaled, heights=scaled.heights | known)


def resize(clip: Clip3D, sizes: Mapping[int, float]) -> Clip3D:
    """Multiply poses, root positions and heights of people by factors.

    Args:
        clip (Clip3D): Poses; heights over the ankles are scaled.
        sizes (Mapping[int, float]): Factors by track ID.

    Returns:
        Clip3D: The clip with the new sizes.
    """
    arrays = {
        name: getattr(clip, name).copy()
        for name in ('keypoints_3d', 'root_3d', 'expected_error')
        if getattr(clip, name) is not None
    }
    for track, size in sizes.items():
        rows = clip.track == track
        for array in arrays.values():
            array[rows] *= size
    heights = {
        track: BodyHeight(
            (meters - ANKLE_HEIGHT) * sizes.get(track, 1.0) + ANKLE_HEIGHT,
            error * sizes.get(track, 1.0),
            source,
        )
        for track, (meters, error, source) in clip.heights.items()
    }
    return replace(clip, heights=heights, **arrays)


def lifted_height(clip: Clip3D, track: int) -> float:
    """Measure the height of a person over the ankles.

    Args:
        clip (Clip3D): Poses.
        track (int): Track ID of the person.

    Returns:
        float: Height, meters, see :func:`height_over_ankles`.
    """
    rows = clip.track == track
    return float(height_over_ankles(clip.keypoints_3d[rows], clip.joint_names))


def height_over_ankles(poses: np.ndarray, names: tuple[str, ...]) -> float:
    """Measure trunk and one leg along the bones, meters.

    Args:
        poses (np.ndarray): Poses of one person, meters, (T, K, 3).
        names (tuple[str, ...]): Names of the joints, with all of Human3.6M's.

    Returns:
        float: Sum of the median lengths of the bones.
    """
    trunk = ('root', 'spine', 'thorax', 'neck_base', 'head')
    legs = [[f'{x}_hip', f'{x}_knee', f'{x}_foot'] for x in ('left', 'right')]
    lengths = [
        np.median(np.linalg.norm(poses[:, joint] - poses[:, next_joint], axis=-1))
        for chain in (trunk, *legs)
        for joint, next_joint in pairwise(map(names.index, chain))
    ]
    return sum(lengths[:4]) + sum(lengths[4:]) / 2


def to_world(clip: Clip3D, static_camera: bool = False) -> Clip3D:
    """Convert to world axes: z up, the floor at z = 0, the camera at x = y = 0.

    Poses of other tools with heights in z-up axes (see :func:`is_level`) are shifted to
    the floor by one distance for all people and frames.

    Args:
        clip (Clip3D): Poses in camera or z-up axes with ``root_3d``.
        static_camera (bool): Whether the camera is static. If it is, one floor plane is
            fitted in each shot, see :func:`stand_on_shot_floors`; if not, the camera
            is assumed to be level, see :func:`stand_on_lowest_joint`.

    Returns:
        Clip3D: The clip in ``'world'`` axes.

    Example::

        world = to_world(place_people(clip), static_camera=True)
        heights = world.places()[..., 2]  # meters above the floor
    """
    if is_level(clip):
        return _shift_to_floor(clip)
    clip = to_axes(clip, 'z-up')
    poses = clip.keypoints_3d.astype(np.float64)
    root = clip.root_3d.astype(np.float64)
    scores = clip.keypoint_scores_3d
    if static_camera:
        is_steep = stand_on_shot_floors(clip, poses, root)
        scores = np.where(is_steep[:, None], FLOOR.steep_score * scores, scores)
    else:
        for rows in clip.stretches():
            times = clip.seconds(clip.frame[rows])
            root[rows, 2] = stand_on_lowest_joint(
                poses[rows], root[rows], times, clip.fps
            )
    return replace(
        clip,
        axes='world',
        root_3d=root.astype(np.float32),
        keypoints_3d=poses.astype(np.float32),
        keypoint_scores_3d=scores.astype(np.float32),
    )


def stand_on_shot_floors(
    clip: Clip3D, poses: np.ndarray, root: np.ndarray
) -> np.ndarray:
    """Level each shot of a static camera, and put people on its floor.

    One plane is fitted to the feet and body axes of each shot. People are put on it if
    errors of their size and of the tilt explain their distance from it. The correction
    of their height changes slowly, and is constant if they climb. ``poses`` and
    ``root`` are changed in place.

    Args:
        clip (Clip3D): Poses in z-up axes of the camera.
        poses (np.ndarray): The same poses, relative to the root, meters, (N, K, 3).
        root (np.ndarray): Root positions, meters, (N, 3).

    Returns:
        np.ndarray: Poses of shots in which the camera looks down steeply, (N,) bool.
    """
    shots = np.searchsorted(clip.cuts, clip.frame, 'right')
    is_running = _speeds(clip) > FLOOR.max_walking_speed
    unseen = legs_unseen(clip)
    is_steep = np.zeros(len(clip), bool)
    heights = {}
    lines: _Lines = defaultdict(list)
    for shot in np.unique(shots):
        rows = shots == shot
        if unseen[rows].all():
            unseen[rows] = False
        shown = rows & ~unseen
        seen = clip.take(shown)
        steep = _is_steep(seen, lines)
        is_steep[rows] = steep
        rotation, height = _find_floor(seen, is_running[shown], steep, lines)
        root[rows] = root[rows] @ rotation.T - [0, 0, height]
        poses[rows] = poses[rows] @ rotation.T
        heights[shot] = height
    for line, seen_in in lines.items():
        starts = [f'{x.seconds(x.frame[:1])[0]:.1f} s' for x in seen_in]
        where = f' (shots at {", ".join(starts)})' if len(clip.cuts) else ''
        _LOGGER.warning('%s: %s%s', clip.name, line, where)
    for rows in clip.stretches():
        if unseen[rows].all():
            continue  # Legs that are not visible may be below a table.
        lowest = _lowest_joint(poses[rows]) + (root[rows, 2] - ANKLE_HEIGHT)
        distance = np.percentile(lowest, 5)
        limit = FLOOR.size_error * abs(heights[shots[rows[0]]])
        limit += FLOOR.tilt_error * np.linalg.norm(root[rows, :2], axis=1).mean()
        if abs(distance) < limit:
            times = clip.seconds(clip.frame[rows])
            floor = placement.find_own_floor(lowest, times)
            climbs = abs(floor).max() > limit
            root[rows, 2] -= distance if climbs else floor
    return is_steep


def stand_on_lowest_joint(
    poses: np.ndarray, root: np.ndarray, seconds: np.ndarray, fps: float
) -> np.ndarray:
    """Put the lowest joint of one person on the floor of a level camera.

    It is on the floor in every frame, even in jumps. If the hips are pinned above one
    point (:func:`mmhot.chain.lifting.placement.is_pinned`), their heights are right,
    apart from a slow drift, which is removed.

    Args:
        poses (np.ndarray): Root-relative joints, z up, meters, (T, K, 3).
        root (np.ndarray): Root positions, z up, meters, (T, 3).
        seconds (np.ndarray): Timestamps, (T,).
        fps (float): Frames per second.

    Returns:
        np.ndarray: Heights of the root above the floor, meters, (T,).
    """
    lowest = _lowest_joint(poses)
    if placement.is_pinned(root):
        lowest += root[:, 2] - ANKLE_HEIGHT
        return root[:, 2] - placement.find_own_floor(lowest, seconds)
    size = max(round(FLOOR.smoothing_seconds * fps), 1)
    smooth = scipy.ndimage.uniform_filter1d(lowest, size, mode='nearest')
    return ANKLE_HEIGHT - smooth


def _lowest_joint(poses: np.ndarray) -> np.ndarray:
    """Return the height of the lowest joint of the body, meters, (T,).

    Poses (T, K, 3) have z up. Toes and heels are lower than ankles, and do not count.
    """
    return poses[:, _BODY, 2].min(1)


def _is_steep(seen: Clip3D, lines: _Lines) -> bool:
    """Say and return whether the camera of N poses in z-up axes looks down steeply."""
    bodies = seen.keypoints_3d[:, _BODY].astype(np.float64)
    along = standing_axes(bodies, min_upright=FLOOR.min_steep)
    along = along[np.isfinite(along).all(1)]
    if len(along) < FLOOR.min_standing_share * len(seen) or not len(along):
        return False
    _, ahead, up = np.median(along, axis=0)
    is_steep = bool(np.degrees(np.arctan2(-ahead, up)) > FLOOR.max_pitch)
    if is_steep:
        lines[
            'the camera looks down by about 45 degrees or more: poses lifted from '
            'there are 60 to 180 mm off, and people move too far'
        ].append(seen)
    return is_steep


def _find_floor(
    seen: Clip3D, is_running: np.ndarray, is_steep: bool, lines: _Lines
) -> tuple[np.ndarray, float]:
    """Fit the floor below the people of a shot, see :func:`placement.find_floor`.

    ``seen`` has N poses in z-up axes with visible legs; ``is_running`` (N,) marks poses
    of people who run; ``is_steep`` is that of :func:`_is_steep`; ``lines`` receives
    doubts.
    """
    ankles = [
        index
        for index, name in enumerate(seen.joint_names)
        if name.endswith(('foot', 'ankle'))
    ]
    feet = seen.keypoints_3d[:, ankles].astype(np.float64)
    feet += seen.root_3d[:, None]
    upright = _upright(seen, is_running, is_steep, lines)
    rotation, height = placement.find_floor(feet.reshape(-1, 3), *upright)
    body = seen.keypoints_3d[:, _BODY].astype(np.float64)
    stands = np.isfinite(standing_axes(body)).all(1)
    if stands.any() and not stands.all():
        standing = feet[stands]
        lowest = (standing @ rotation[2]).min(1) - ANKLE_HEIGHT - height
        limit = FLOOR.size_error * abs(height)
        limit += FLOOR.tilt_error * np.linalg.norm(standing, axis=-1).mean()
        if np.percentile(lowest, 5) > limit:
            lines[
                'the floor is that of poses that stand; others are far below it, and '
                'their distance is wrong'
            ].append(seen)
            return placement.find_floor(standing.reshape(-1, 3), *upright)
    return rotation, height


def _upright(
    seen: Clip3D, is_running: np.ndarray, is_steep: bool, lines: _Lines
) -> tuple[np.ndarray, float]:
    """Find the upward direction of a shot in z-up axes of the camera.

    If one floor showed the sizes of several people, it also shows what is up. Otherwise
    the bodies of standing people do, and if people run, their feet alone.

    Args:
        seen (Clip3D): N poses of one shot in z-up axes.
        is_running (np.ndarray): Poses that run, (N,) bool.
        is_steep (bool): Whether the camera looks down steeply, which has been said.
        lines (_Lines): Receives doubts.

    Returns:
        tuple[np.ndarray, float]: Unit vectors (M, 3), without any if the camera counts
        as level, and the standard deviation of their mean in radians.
    """
    bodies = seen.keypoints_3d[:, _BODY].astype(np.float64)
    heights = [seen.heights.get(track) for track in seen.track_ids]
    if any(height is not None and height.source == 'floor' for height in heights):
        floor = fit_people(seen)
        if floor is not None:
            return floor.up[None], FLOOR.shared_floor_error
    if is_running.mean() > FLOOR.max_running_share:
        _LOGGER.info(
            '%s: people move as fast as runners: the tilt of the camera is estimated '
            'from their feet alone',
            seen.name,
        )
        return _NO_AXES, FLOOR.running_tilt_error
    bodies = standing_axes(bodies[~is_running])
    bodies = bodies[np.isfinite(bodies).all(1)]
    if len(bodies) < FLOOR.min_standing_share * len(seen):
        if not is_steep:
            lines[
                'hardly any whole person is seen upright: the camera is assumed to be '
                'level'
            ].append(seen)
        return _NO_AXES, FLOOR.level_tilt_error
    return bodies, FLOOR.body_axis_error


def _speeds(clip: Clip3D) -> np.ndarray:
    """Measure the speed of each root over half a second, m/s, (N,)."""
    speeds = np.zeros(len(clip))
    size = max(round(clip.fps / 2), 1)
    for rows in clip.stretches():
        if len(rows) > 1:
            times = clip.seconds(clip.frame[rows])
            velocities = np.gradient(clip.root_3d[rows], times, axis=0)
            mean = scipy.ndimage.uniform_filter1d(velocities, size, 0, mode='nearest')
            speeds[rows] = np.linalg.norm(mean, axis=1)
    return speeds


def is_level(clip: Clip3D) -> bool:
    """Return whether poses of another tool have z-up axes and heights that change.

    Args:
        clip (Clip3D): Poses in any axes.

    Returns:
        bool: Whether heights are given, and need only be shifted to the floor.
    """
    heights = np.nan_to_num(clip.root_3d[:, 2])
    is_given = clip.axes == 'z-up' and not clip.model
    return is_given and bool(
        (abs(heights - heights[:1]) > FLOOR.max_pinned_motion).any()
    )


def _shift_to_floor(clip: Clip3D) -> Clip3D:
    """Shift all people by one distance, with which visible ankles reach the floor.

    If no ankle is seen, the floor is unknown, and heights stay.
    """
    ankles = [clip.joint_names.index(f'{side}_foot') for side in ('left', 'right')]
    stands = (clip.scores[:, ankles] > 0).any(1)
    if not stands.any():
        _LOGGER.warning(
            ArgumentError(
                '%s: no ankle is seen, and the floor is not known: heights stay; '
                '{given_axes=world} states that it is at zero',
                clip.name,
            )
        )
        return replace(clip, axes='world')
    lowest = np.fmin.reduce(clip.places()[stands][:, _BODY, 2], axis=1)
    root = clip.root_3d.copy()
    step = ANKLE_HEIGHT - np.nanpercentile(lowest, 5)
    if abs(step) > FLOOR.max_height_at_zero:
        _LOGGER.warning(
            ArgumentError(
                '%s: people are moved by %.2f m to the floor; {given_axes=world} keeps '
                'their heights',
                clip.name,
                step,
            )
        )
        root[:, 2] += step
    return replace(clip, axes='world', root_3d=root)


def turn(clip: Clip3D, axes: str, static_camera: bool = False) -> Clip3D:
    """Convert a clip to the axes of results.

    Args:
        clip (Clip3D): Poses in any axes.
        axes (str): ``'camera'``, ``'z-up'`` or ``'world'``.
        static_camera (bool): Whether the camera is static, see :func:`to_world`.

    Returns:
        Clip3D: The clip in these axes.

    Raises:
        ValueError: If the clip is in ``'world'`` axes, and others are wanted.
    """
    if axes == 'world' != clip.axes:
        # Lifted people have been placed before, even if without success.
        is_unplaced = not clip.model and np.isnan(clip.root_3d).all()
        if is_unplaced and np.isfinite(clip.keypoints_2d).any():
            clip = place_people(to_axes(clip, 'camera'), clip.lens)
        clip = to_world(clip, static_camera)
    elif axes != 'world':
        clip = to_axes(clip, axes)
    return clip.checked()
