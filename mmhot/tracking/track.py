"""Step ``track``: from the people of each frame to tracked people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.state import ClipPeople, LiveStep, State, Watch
from mmhot.structures.clips import Clip2D, Track2D
from mmhot.tracking.appearance import AppearanceObserver, appearance_of
from mmhot.tracking.clip_tracks import track_clip
from mmhot.tracking.person_tracker import Tracker

# Deviation from a constant rate that is ignored, as a share of a frame.
_UNEVEN = 0.2
# Distance from the border of the image of people who are inside, as a share of the box.
_INSIDE = 0.1
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class TrackPeople(LiveStep):
    """Follow people from frame to frame."""

    name, part, optional = 'track', 'track', False

    max_occlusion: float = 2.0  # of streams: before a person gets a new ID, seconds

    def watch(self) -> Sequence[Watch]:
        """Return the observer of people's appearance."""
        return [lambda source, skeleton: AppearanceObserver(skeleton)]

    def __call__(self, state: State) -> State:
        """State the tracks as a clip with the name, rate and times of its frames."""
        people, frames, count = state.people, state.source_frames(), self.counter(state)
        assert people is not None  # they were estimated
        num_frames, fps = len(people.people), frames.fps
        tracks = track_clip(
            people.people,
            fps,
            lambda done: count(done, num_frames),
            people.cuts,
            first=people.first,
            looks=appearance_of(state),
        )
        times = np.array(people.times)
        even = np.abs(times * fps - np.arange(num_frames)).max() < _UNEVEN
        clip = Clip2D(frames.name, people.skeleton, tracks, *people.size, fps)
        clip = replace(clip, source=frames.path, times=None if even else times)
        ends = [track for track in tracks if _ends_inside(track, people)]
        if ends:
            when = ', '.join(f'{times[x.frames[-1]]:.1f}' for x in ends[:_MOST_NAMED])
            more = ', ...' if len(ends) > _MOST_NAMED else ''
            self.report.say(
                f'{clip.name}: {len(ends)} of {len(tracks)} tracks end inside the '
                f'image, at {when}{more} s: people are occluded there, or lost'
            )
        return replace(state, tracked=clip, keypoints=clip)

    def start(self, fps: float) -> Callable[[State], State]:
        """Return the tracker of a stream."""
        tracker, index = Tracker(fps, self.max_occlusion), -1

        def track(state: State) -> State:
            nonlocal index
            frame, of_clip = state.stream_frame(), state.people
            assert of_clip is not None  # they were estimated
            [people] = of_clip.people
            # the tracker counts frames at an even rate
            index = max(index + 1, round(frame.time * fps))
            ids = tracker.update(people, index)
            first = np.zeros(1, np.int64)
            tracks = [
                Track2D(
                    int(ids[row]),
                    first,
                    people.keypoints[row, None],
                    people.scores[row, None],
                    people.bboxes[row, None],
                )
                for row in np.flatnonzero(ids >= 0)
            ]
            name, skeleton = state.source_frames().name, of_clip.skeleton
            clip = Clip2D(name, skeleton, tracks, *of_clip.size, fps)
            clip = replace(clip, times=np.array([frame.time]))
            return replace(state, tracked=clip, keypoints=clip)

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
