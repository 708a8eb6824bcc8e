"""Step ``track``: from the people of each frame to tracked people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.pose2d.footage import ClipPeople, Footage
from mmhot.step import Step
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.tracking.appearance import AppearanceObserver, appearance_of
from mmhot.tracking.clip_tracks import make_track, track_clip
from mmhot.tracking.person_tracker import Tracker

# Deviation from a constant rate that is ignored, as a share of a frame.
_UNEVEN = 0.2
# Distance from the border of the image of people who are inside, as a share of the box.
_INSIDE = 0.1
_MOST_NAMED = 5


_FINDS_MORE = (
    '; --det-model rtmdet-nano, 4 MB once downloaded, finds more, and whole_image a '
    'person who fills the image'
)


@dataclass(frozen=True, kw_only=True)
class TrackPeople(Step):
    """Follow people from frame to frame."""

    name, part, optional = 'track', 'track', False

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return the observer of people's appearance."""
        return [AppearanceObserver(skeleton)]

    def __call__(self, footage: Footage) -> Clip2D:
        """Return the tracks as a clip with the name, rate and times of its frames."""
        people, frames = footage.people, footage.frames
        num_frames, fps = len(people.people), frames.fps
        tracks = track_clip(
            people.people,
            fps,
            lambda done: footage.count(self.part, done, num_frames),
            people.cuts,
            first=people.first,
            looks=appearance_of(footage),
        )
        times = np.array(people.times)
        even = np.abs(times * fps - np.arange(num_frames)).max() < _UNEVEN
        clip = Clip2D(frames.name, people.skeleton, tracks, *people.size, fps)
        given = None if even else times
        clip = replace(clip, source=frames.path, times=given, cuts=tuple(people.cuts))
        ends = [track for track in tracks if _ends_inside(track, people)]
        if ends:
            when = ', '.join(f'{times[x.frames[-1]]:.1f}' for x in ends[:_MOST_NAMED])
            more = ', ...' if len(ends) > _MOST_NAMED else ''
            hint = _FINDS_MORE if footage.finds_more else ''
            self.report.say(
                f'{clip.name}: {len(ends)} of {len(tracks)} tracks end inside the '
                f'image, at {when}{more} s: people are occluded there, or lost{hint}'
            )
        return clip

    def start(self, fps: float) -> Callable[[Footage], Clip2D]:
        """Return the tracker of a stream."""
        tracker, index = Tracker(fps), -1

        def track(footage: Footage) -> Clip2D:
            nonlocal index
            [people], [time] = footage.people.people, footage.people.times
            # the tracker counts frames at an even rate
            index = max(index + 1, round(time * fps))
            tracks = [
                make_track(person.id, [(0, people, person.row)])
                for person in tracker.update(people, index)
                if person.id >= 0
            ]
            name, skeleton = footage.frames.name, footage.people.skeleton
            clip = Clip2D(name, skeleton, tracks, *footage.people.size, fps)
            return replace(clip, times=np.array([time]))

        return track


def _ends_inside(track: Track2D, people: ClipPeople) -> bool:
    """Return whether a track ends before its shot, away from the image's border."""
    box = track.boxes[-1].reshape(2, 2)
    margin = _INSIDE * (box[1] - box[0]).max()
    is_inside = ((box > margin) & (box < np.subtract(people.size, margin))).all()
    return bool(is_inside) and track.frames[-1] + 1 not in (
        len(people.people),
        *people.cuts,
    )
