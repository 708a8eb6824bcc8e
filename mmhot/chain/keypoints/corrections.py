"""Steps ``corrections`` and ``joint_corrections``: what a user corrected by hand.

A file of corrections is a JSON list, which the viewer writes and people can edit::

    [
      {"person": 0, "exchange_with": 1, "from": 120},
      {"person": 7, "is": 2},
      {"person": 3, "leave_out": true},
      {"person": 0, "exchange_sides": "legs", "from": 44, "to": 68},
      {"person": 0, "wrong_joints": ["left_wrist"], "from": 12, "to": 20}
    ]

They refer to what the viewer shows. So people are corrected before they are chosen, in
the order of the file, and sides and joints after the step ``sides``, by the IDs after
all corrections of people.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeGuard

import numpy as np

from mmhot.chain.keypoints.side_swaps import (
    exchange_joints,
    joints_of_limbs,
    remove_joints,
)
from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError, did_you_mean, escape, naming
from mmhot.geometry.outliers import list_spans
from mmhot.io.arrays import load_json
from mmhot.options import Option, Options
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.clips_2d import Clip2D, join_tracks

_MAX_FILE = 1 << 20  # bytes; largest file
_LIMBS = {'legs': ('leg',), 'arms': ('arm',), 'all': ('leg', 'arm', 'head')}


def _is_number(value: object) -> bool:
    """Return whether a value can be an ID or a frame number."""
    return type(value) is int and 0 <= value < 1 << 31


# Check and description of the value of each key; the keys after `to` are corrections.
_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    'person': (_is_number, 'an ID'),
    'from': (_is_number, 'a frame number'),
    'to': (_is_number, 'a frame number'),
    'exchange_with': (_is_number, 'an ID'),
    'is': (_is_number, 'an ID'),
    'leave_out': (lambda value: value is True, 'true'),
    'exchange_sides': (lambda value: value in [*_LIMBS], 'legs, arms or all'),
    'wrong_joints': (lambda value: isinstance(value, list), 'a list of joints'),
}
_ACTIONS = [*_KEYS][3:]


class Correction(dict[str, Any]):
    """A correction as in a file.

    Args:
        values (Mapping[str, Any]): Its keys and values.
        place (str): Where it is written, for messages.

    Raises:
        ValueError: If a key is unknown or missing, or a value is wrong.
    """

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        super().__init__(values)
        self.place = place
        for key, value in self.items():
            if key not in _KEYS:
                raise self.error(f'unknown key {key!r}{did_you_mean(key, _KEYS)}')
            is_right, expected = _KEYS[key]
            if not is_right(value):
                raise self.error(f'{key} must be {expected}, got {value!r}')
        if 'person' not in self or len(self.keys() & {*_ACTIONS}) != 1:
            raise self.error(f'needs person, and one of {", ".join(_ACTIONS)}')
        if self.get('from', 0) > self.get('to', np.inf):
            raise self.error(f'from, {self["from"]}, is after to, {self["to"]}')

    @property
    def is_of_joints(self) -> bool:
        """Whether it changes keypoints, not whose they are."""
        return 'exchange_sides' in self or 'wrong_joints' in self

    def error(self, reason: str) -> ValueError:
        """Make an error that begins with the place."""
        return ValueError(f'{self.place}: {reason}')

    def covers(self, frames: np.ndarray) -> np.ndarray:
        """Return which of these frames, (N,), it is for, (N,) bool."""
        return (frames >= self.get('from', 0)) & (frames <= self.get('to', np.inf))

    def find_rows(self, owners: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Find the rows that it is for.

        Args:
            owners (np.ndarray): Track ID of each row, (N,).
            frames (np.ndarray): Frame number of each row, (N,).

        Returns:
            np.ndarray: Mask of the rows, (N,).

        Raises:
            ValueError: If there are none.
        """
        person = self['person']
        rows = owners == person
        found = rows & self.covers(frames)
        if found.any():
            return found
        if not rows.any():
            raise self.error(f'there is no person {person}')
        seen = list_spans(np.sort(frames[rows]))
        span = f'{self.get("from", 0)} to {self.get("to", "the end")}'
        raise self.error(f'person {person} has no frames {span}, only {seen}')

    def find_joints(self, skeleton: Skeleton) -> list[int]:
        """Return the indices of the joints that it changes.

        Raises:
            ValueError: If the skeleton has no joint of a name.
        """
        if 'exchange_sides' in self:
            return joints_of_limbs(skeleton.name, _LIMBS[self['exchange_sides']])
        names = [skeleton.meanings.get(name, name) for name in skeleton.joints]
        for name in self['wrong_joints']:
            if name not in names:
                known = ', '.join(names)
                raise self.error(f'{name!r} must be one of the joints {known}')
        return [names.index(name) for name in self['wrong_joints']]


def read_corrections(
    value: str | Path | Iterable[Mapping[str, object]],
) -> tuple[Correction, ...]:
    """Read corrections: a file, or a list of dicts with the same keys.

    Raises:
        ValueError: If a correction is wrong; the message has its line.
    """
    if isinstance(value, str | Path):
        path = Path(value)
        with naming(path):
            items = load_json(path, _MAX_FILE)
            return _parse(items, path.read_text('utf-8-sig'), escape(path))
    if not _are_objects(value):
        raise ArgumentError('{corrections} must be a file or dicts, got %r', value)
    return tuple(Correction(x, f'corrections[{i}]') for i, x in enumerate(value))


def _are_objects(value: object) -> TypeGuard[Sequence[Mapping[str, object]]]:
    """Return whether a value is a list of objects in JSON, or of dicts."""
    return isinstance(value, list | tuple) and all(
        isinstance(each, Mapping) for each in value
    )


def _parse(items: object, text: str, name: str) -> tuple[Correction, ...]:
    """Read the items of a file, and find their lines in its text."""
    if not _are_objects(items):
        raise ValueError('must be a list of corrections: [{"person": ...}, ...]')
    found = []
    end = 0
    for _ in items:
        start = text.index('{', end)
        values, end = json.JSONDecoder().raw_decode(text, start)
        line = text.count('\n', 0, start) + 1
        found.append(Correction(values, f'{name}: line {line}'))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class CorrectionsOption(Options):
    """Option of the two steps that correct a clip."""

    title = 'time and people'

    corrections: Annotated[
        tuple[Correction, ...],
        'file of corrections by hand, which the viewer writes',
        Option(read=read_corrections, metavar='FILE'),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class CorrectPeople(CorrectionsOption, KeypointStep):
    """Step ``corrections``, before people are chosen: exchange, join, leave out.

    It also refuses corrections of joints that fit no row, as people may be left out
    later.
    """

    name = 'corrections'
    part = 'track'

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Give rows to other people."""
        if not self.corrections:
            return clip
        counts = [len(track.frames) for track in clip.tracks]
        owners = np.repeat(clip.track_ids, counts)
        frames = np.concatenate([track.frames for track in clip.tracks])
        skeleton = get_skeleton(clip.skeleton)
        # Corrections of joints have the IDs after all others.
        for each in sorted(self.corrections, key=lambda x: x.is_of_joints):
            rows = each.find_rows(owners, frames)
            if each.is_of_joints:
                each.find_joints(skeleton)
            elif 'exchange_with' in each:
                other = each['exchange_with']
                if other not in owners:
                    raise each.error(f'there is no person {other}')
                owners[(owners == other) & each.covers(frames)] = each['person']
                owners[rows] = other
            elif 'is' in each:
                taken = np.intersect1d(frames[rows], frames[owners == each['is']])
                if len(taken):
                    raise each.error(
                        f'person {each["person"]} is not {each["is"]}: both are in '
                        f'frames {list_spans(taken)}'
                    )
                owners[rows] = each['is']
            else:
                owners[rows] = -1
        by_track = np.split(owners, np.cumsum(counts)[:-1])
        tracks = []
        for person in np.unique(owners[owners >= 0]).tolist():
            pieces = [
                track.take(own == person)
                for track, own in zip(clip.tracks, by_track, strict=True)
                if person in own
            ]
            tracks.append(replace(join_tracks(pieces), track=person))
        return replace(clip, tracks=tracks)


@dataclass(frozen=True, kw_only=True)
class CorrectJoints(CorrectionsOption, KeypointStep):
    """Step ``joint_corrections``, after ``sides``: exchange sides, remove joints."""

    name = 'joint_corrections'
    goes_with = 'corrections'

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Change the keypoints of the people who were chosen."""
        skeleton = get_skeleton(clip.skeleton)
        tracks = {track.track: track for track in clip.tracks}
        of_joints = [x for x in self.corrections if x.is_of_joints]
        for each in [x for x in of_joints if x['person'] in tracks]:
            track = tracks[each['person']]
            changed = np.zeros(track.scores.shape, bool)
            changed[:, each.find_joints(skeleton)] = True
            changed[~each.covers(track.frames)] = False
            if 'exchange_sides' in each:
                track = exchange_joints(track, changed, skeleton)
            else:
                track = remove_joints(track, changed)
            tracks[track.track] = track
        return replace(clip, tracks=[*tracks.values()])
