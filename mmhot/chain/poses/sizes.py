"""Step ``sizes``: scale people to stated heights, or to stand on one floor."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.keypoints.people import PeopleOption
from mmhot.chain.lifting.one_floor import ONE_FLOOR, fit_people
from mmhot.chain.lifting.world import (
    lifted_height,
    resize,
    scale_people,
    stated_heights,
)
from mmhot.chain.step import PoseStep
from mmhot.errors import ArgumentError, list_people
from mmhot.options import Option, Options, split_numbers
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import BodyHeight, Clip3D, to_axes

_LOGGER = logging.getLogger(__name__)
Heights = tuple[float, ...] | dict[int, float]


def read_heights(value: float | str | Iterable[float] | Mapping[int, float]) -> Heights:
    """Read body heights in meters.

    Args:
        value (float | str | Iterable[float] | Mapping[int, float]): One height such as
            1.8 or '1.8', several such as '1.8,1.2', or by track ID such as '0:1.8'.

    Returns:
        tuple[float, ...] | dict[int, float]: Heights, in order or by track ID.

    Raises:
        ValueError: If a height is not between 0.3 and 3 meters.
    """
    people: Iterable | None = None
    if isinstance(value, str) and ':' in value:
        pairs = (part.split(':') for part in value.split(','))
        people, value = zip(*pairs, strict=True)
    elif isinstance(value, Mapping):
        people, value = value.keys(), value.values()
    heights = split_numbers(value)
    if not heights or not all(0.3 <= height <= 3 for height in heights):
        raise ValueError
    if people is None:
        return tuple(heights)
    tracks = split_numbers(people, int)
    if len({*tracks}) < len(tracks):
        raise ArgumentError('{height} names a person twice: %s', tracks)
    return dict(zip(tracks, heights, strict=True))


@dataclass(frozen=True, kw_only=True)
class HeightOption(Options):
    """Option that states how tall people are."""

    title = 'results'

    height: Annotated[
        Heights | None,
        'body height, which sets the scale: one for all people, one for each in the '
        'order of their track IDs or of the option people, such as 1.80,1.20, or by '
        'track ID, such as 0:1.80',
        Option(
            read=read_heights,
            expected='from 0.3 to 3 meters, or one height for each person, such as '
            '1.80,1.20 or 0:1.80,1:1.20',
            metavar='METERS',
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ScalePeople(HeightOption, PeopleOption, PoseStep):
    """Step ``sizes``: scale people to stated heights, or to stand on one floor.

    A lifter makes all people about equally tall. If the camera keeps its place, the
    floor shows who is taller, unless too few feet rest on it.
    """

    name = 'sizes'
    of_people = True

    def check_people(self, name: str, tracks: Sequence[int]) -> None:
        """Raise ArgumentError if the stated heights do not fit the people."""
        if self.height is not None:
            stated_heights(name, self._in_order(tracks), self.height)

    def _in_order(self, tracks: Sequence[int]) -> Sequence[int]:
        """Return track IDs in the order in which people were chosen."""
        chosen = self.people if isinstance(self.people, tuple) else tracks
        return [track for track in chosen if track in tracks]

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Scale poses and root positions."""
        tracks = self._in_order(clip.track_ids)
        heights = {}
        for track in tracks:
            meters = lifted_height(clip, track)
            heights[track] = BodyHeight(
                meters + ANKLE_HEIGHT, ONE_FLOOR.size_error * meters, 'assumed'
            )
        clip = replace(clip, heights=heights)
        if self.height is not None:
            clip = scale_people(clip, self.height)
        if len(tracks) > 1:
            if clip.camera is not None:
                clip = share_floor(clip)
            self._warn_about_steps(clip, heights)
        return clip

    def _warn_about_steps(self, clip: Clip3D, lifted: Mapping[int, BodyHeight]) -> None:
        """Warn of sizes that a step, a stage or a slope would explain as well."""
        sizes = {
            track: np.log((height.meters - ANKLE_HEIGHT) / (meters - ANKLE_HEIGHT))
            for track, (meters, _, _) in lifted.items()
            if (height := clip.heights[track]).source == 'floor'
        }
        logs = np.array([*sizes.values()])
        others = (logs.sum() - logs) / max(len(logs) - 1, 1)
        is_far = abs(logs - others) > ONE_FLOOR.size_error
        far = [track for track, far in zip(sizes, is_far, strict=True) if far]
        if far:
            _LOGGER.warning(
                ArgumentError(
                    '%s: body heights hold if %s and the others stand on the same '
                    'floor; where one stands higher, {height} states heights',
                    clip.name,
                    list_people(far),
                )
            )


def share_floor(clip: Clip3D) -> Clip3D:
    """Scale people with assumed heights so that all stand on one floor.

    The camera keeps its place within a shot, and may turn. A height that one shot shows
    is known in later shots.

    Args:
        clip (Clip3D): Poses with root positions and heights.

    Returns:
        Clip3D: The clip with new sizes, and heights with their errors.
    """
    shots = np.searchsorted(clip.cuts, clip.frame, 'right')
    for shot in np.unique(shots):
        seen = to_axes(clip.take(shots == shot), 'z-up')
        floor = fit_people(seen)
        if floor is None or floor.stands.sum() < 2:
            continue
        for index, track in enumerate(seen.track_ids):
            if not floor.stands[index] or clip.heights[track].source != 'assumed':
                continue
            clip = resize(clip, {track: float(floor.sizes[index])})
            meters = clip.heights[track].meters
            error = float(floor.errors[index]) * (meters - ANKLE_HEIGHT)
            height = BodyHeight(meters, error, 'floor')
            clip = replace(clip, heights={**clip.heights, track: height})
    return clip
