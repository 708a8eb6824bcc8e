"""Step ``people``: choose people by track ID or size, or list them in a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError
from mmhot.options import Option, Options, split_numbers
from mmhot.structures.clips_2d import Clip2D

# Share of the longest track's frames. A shorter track is never the largest person, as
# it may be a false detection: half of it takes one of 3 of 20 frames in the tests,
# double is as good.
_MIN_SHARE = 0.25


def read_people_choice(value: int | str | Iterable[int]) -> str | tuple[int, ...]:
    """Read the choice of people.

    Args:
        value (int | str | Iterable[int]): 'all', 'largest', or track IDs,
            also as text such as '0,2'.

    Returns:
        str | tuple[int, ...]: The word, or different track IDs.

    Raises:
        ValueError: If there is no ID, or a negative one.
    """
    if isinstance(value, str) and value in ('all', 'largest'):
        return value
    ids = split_numbers(value, int)
    if not ids or min(ids) < 0:
        raise ValueError
    return tuple(dict.fromkeys(ids))


@dataclass(frozen=True, kw_only=True)
class SingleOption(Options):
    """Option for files without track IDs."""

    title = 'keypoint files'

    single: Annotated[
        Literal['largest'] | None,
        'take only the largest person of each frame, as one track',
    ] = None


@dataclass(frozen=True, kw_only=True)
class PeopleOption(Options):
    """Option that chooses people in a clip."""

    title = 'time and people'

    people: Annotated[
        str | tuple[int, ...],
        'people to lift: all, largest, or track IDs such as 0,2; if the input has no '
        'IDs, largest is the largest person in each frame',
        Option(
            read=read_people_choice,
            expected='all, largest, or track IDs such as 0,2',
            metavar='LIST',
        ),
    ] = 'all'


@dataclass(frozen=True, kw_only=True)
class ChoosePeople(PeopleOption, KeypointStep):
    """Step ``people``: keep some tracks."""

    name = 'people'
    part = 'track'
    optional = False

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Keep the chosen tracks."""
        shown = {}
        for track in clip.tracks:
            height = _median_height(track.keypoints[..., 1])
            shown[track.track] = len(track.frames), height
        chosen = choose_people(clip.name, shown, self.people)
        tracks = [track for track in clip.tracks if track.track in chosen]
        return replace(clip, tracks=tracks)


def _median_height(rows: np.ndarray) -> float:
    """Return a person's median extent, in rows (T, K) of the image; 0 if unknown."""
    rows = rows[np.isfinite(rows).any(1)]
    if not len(rows):
        return 0.0
    return float(np.median(np.nanmax(rows, 1) - np.nanmin(rows, 1)))


def choose_people(
    name: str,
    shown: Mapping[int, tuple[int, float]],
    people: str | tuple[int, ...],
) -> list[int]:
    """Choose people in a clip.

    Args:
        name (str): Name of the clip, for messages.
        shown (Mapping[int, tuple[int, float]]): Number of frames and median height in
            the image, by track ID.
        people (str | tuple[int, ...]): 'all', 'largest' or track IDs.

    Returns:
        list[int]: Track IDs of the chosen people.

    Raises:
        ArgumentError: If a track ID is not in the clip.
    """
    if people == 'all':
        return [*shown]
    if people == 'largest':
        least = _MIN_SHARE * max(count for count, _ in shown.values())
        long = [track for track, (count, _) in shown.items() if count >= least]
        return [max(long, key=lambda track: shown[track][1])]
    for track in people:
        if track not in shown:
            raise ArgumentError(
                '{people} must be among the track IDs %s of %s, got %s',
                ', '.join(map(str, shown)),
                name,
                track,
            )
    return [int(track) for track in people]
