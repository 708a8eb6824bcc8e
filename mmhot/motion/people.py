"""Step ``people``: the people that were chosen, and a table to choose from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.errors import ArgumentError, align
from mmhot.structures.clips import Clip2D, Track2D
from mmhot.tracking.appearance import hue_of, looks_of

_HEADER = ('ID', 'color', 'from, s', 'to, s', 'frames', 'height, px')


@dataclass(frozen=True)
class ChoiceLimits:
    """Limits of the choice of the largest person."""

    min_share: float = 0.25  # of the frames of the longest track: less may be an error


@dataclass
class ChoosePeople:
    """Step ``people``: keep some tracks; without a choice, list them."""

    name, part, live = 'people', 'track', True  # streams have all people
    people: str | tuple[int, ...] = 'all'  # or 'largest', 'longest', track IDs
    say: Callable[[str], None] = lambda text: None  # receives the table of people
    limits: ChoiceLimits = ChoiceLimits()

    def __call__(
        self, clip: Clip2D, appearance: dict[str, np.ndarray] | None = None
    ) -> Clip2D:
        """Return the clip with the chosen tracks; colors are of the appearance."""
        spans = [_span_of(clip, each, appearance) for each in clip.tracks]
        chosen = choose_people(clip.name, spans, self.people, self.say, self.limits)
        return replace(clip, tracks=[x for x in clip.tracks if x.track in chosen])


@dataclass(frozen=True)
class PersonSpan:
    """What a person is chosen by."""

    track: int  # track ID
    times: np.ndarray  # timestamps in seconds, (T,)
    height: float  # median height in the image, pixels
    color: str = ''  # color of the trunk; empty if unknown


def choose_people(
    name: str,
    spans: Sequence[PersonSpan],
    people: str | tuple[int, ...],
    say: Callable[[str], None],
    limits: ChoiceLimits = ChoiceLimits(),
) -> list[int]:
    """Return the track IDs of the chosen people; list several if all are.

    Args:
        name (str): Name of the clip.
        spans (Sequence[PersonSpan]): All people.
        people (str | tuple[int, ...]): 'all', 'largest', 'longest' or track IDs.
        say (Callable): Receives the table, line by line.
        limits (ChoiceLimits): Limits of the choice.

    Raises:
        ArgumentError: If a track ID is unknown.
    """
    known = {each.track: each for each in spans}
    if people == 'all':
        for line in people_table(name, spans) if len(known) > 1 else ():
            say(line)
        return [*known]
    longest = max(spans, key=lambda each: len(each.times))
    if people == 'longest':
        return [longest.track]
    if people == 'largest':
        least = limits.min_share * len(longest.times)
        seen = [each for each in spans if len(each.times) >= least]
        return [max(seen, key=lambda each: each.height).track]
    unknown = [track for track in people if track not in known]
    if unknown:
        text = '{people} must be among the track IDs %s of %s, got %s'
        raise ArgumentError(text, ', '.join(map(str, known)), name, unknown[0])
    return [int(track) for track in people]


def people_table(name: str, spans: Sequence[PersonSpan]) -> list[str]:
    """Tabulate the people of a clip, one a line."""
    rows: list[tuple[str, ...]] = [_HEADER]
    for each in spans:
        times = [f'{each.times[index]:.1f}' for index in (0, -1)]
        size = str(len(each.times)), f'{each.height:.0f}'
        rows.append((str(each.track), each.color or '-', *times, *size))
    title = f'{name}: {len(spans)} people (--people ID, largest, longest):'
    return [title, *align(rows, left=0).split('\n')]


def _span_of(
    clip: Clip2D, track: Track2D, appearance: dict[str, np.ndarray] | None
) -> PersonSpan:
    times, color = clip.times_of(track.frames), ''
    if appearance is not None and track.bboxes is not None:
        color = hue_of(looks_of(track, appearance)[1])
    known, height = np.isfinite(track.keypoints[..., 1]).any(1), 0.0
    if known.any():
        rows = track.keypoints[known, :, 1]
        height = float(np.median(np.nanmax(rows, 1) - np.nanmin(rows, 1)))
    return PersonSpan(track.track, times, height, color)
