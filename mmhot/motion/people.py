"""Step ``people``: the people that were chosen, and a table to choose from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.structures.clips import Clip2D, Track2D
from mmhot.tracking.appearance import hue_of, looks_of

_HEADER = ('ID', 'color', 'from, s', 'to, s', 'frames', 'height, px')


@dataclass(frozen=True)
class ChoiceLimits:
    """Limits of the choice of the largest person."""

    min_share: float = 0.25  # of the frames of the longest track: less may be an error


class ChoosePeople:
    """Step ``people``: keep some tracks; without a choice, list them.

    Args:
        people (str | tuple[int, ...]): 'all', 'largest', 'longest' or track IDs.
        say (Callable): Receives the table of the people of a clip with several.
        limits (ChoiceLimits): Limits of the choice.
    """

    name, part, live = 'people', 'track', True  # streams have all people

    def __init__(
        self,
        people: str | tuple[int, ...] = 'all',
        say: Callable[[str], None] = lambda text: None,
        limits: ChoiceLimits = ChoiceLimits(),
    ) -> None:
        self.people, self._say, self.limits = people, say, limits

    def __call__(
        self, clip: Clip2D, appearance: dict[str, np.ndarray] | None = None
    ) -> Clip2D:
        """Return the clip with the chosen tracks; colors are of the appearance."""
        if self.people == 'all':
            if len(clip.tracks) > 1:
                for line in people_table(clip, appearance):
                    self._say(line)
            return clip
        chosen = self._choose(clip)
        return replace(clip, tracks=[x for x in clip.tracks if x.track in chosen])

    def _choose(self, clip: Clip2D) -> Iterable[int]:
        frames = {each.track: len(each.frames) for each in clip.tracks}
        if self.people == 'longest':
            return [max(frames, key=lambda track: frames[track])]
        if self.people == 'largest':
            least = self.limits.min_share * max(frames.values())
            seen = [each for each in clip.tracks if frames[each.track] >= least]
            return [max(seen, key=_height).track]
        unknown = [track for track in self.people if track not in frames]
        if unknown:
            known = ', '.join(map(str, frames))
            raise ArgumentError(
                '{people} must be among the track IDs %s of %s, got %s',
                known,
                clip.name,
                unknown[0],
            )
        return [int(track) for track in self.people]


def people_table(
    clip: Clip2D, appearance: dict[str, np.ndarray] | None = None
) -> list[str]:
    """Tabulate the people of a clip, one a line; ``color`` is that of the trunk."""
    rows = [_HEADER]
    for track in clip.tracks:
        first, last = clip.times_of(track.frames[[0, -1]])
        color = '-'
        if appearance is not None and track.bboxes is not None:
            color = hue_of(looks_of(track, appearance)[1]) or '-'
        times = f'{first:.1f}', f'{last:.1f}'
        height = f'{_height(track):.0f}'
        rows.append((str(track.track), color, *times, str(len(track.frames)), height))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    title = f'{clip.name}: {len(clip.tracks)} people (--people ID, largest, longest):'
    return [title, *lines]


def _height(track: Track2D) -> float:
    """Return the median extent of a person's keypoints in y, pixels."""
    known = np.isfinite(track.keypoints[..., 1]).any(1)
    if not known.any():
        return 0.0
    heights = track.keypoints[known, :, 1]
    return float(np.median(np.nanmax(heights, 1) - np.nanmin(heights, 1)))
