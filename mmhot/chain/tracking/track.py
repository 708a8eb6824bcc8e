"""Step ``track``: link the people detected in each frame to tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.chain.frames.sources import FrameObserver, FrameSource
from mmhot.chain.pose2d.footage import Footage
from mmhot.chain.step import Step
from mmhot.chain.tracking.appearance import AppearanceObserver, appearance_of
from mmhot.chain.tracking.clip_tracks import make_track, track_clip
from mmhot.chain.tracking.person_tracker import Tracker
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.lens import Lens

# Frame intervals; a video with timestamps farther from a constant rate keeps them.
# Milliseconds, as in .mkv, are off by 0.02 at 30 frames per second, by 0.12 at 240.
_UNEVEN = 0.2


@dataclass(frozen=True, kw_only=True)
class TrackPeople(Step):
    """Step ``track``: assign track IDs to people, for a video or a stream."""

    name = 'track'
    part = 'track'
    optional = False

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return the observer of people's appearance."""
        return [AppearanceObserver(skeleton)]

    def __call__(self, footage: Footage) -> Clip2D:
        """Track the people in a video.

        Returns:
            Clip2D: Tracks, with the video's name, frame rate and cuts; with timestamps
            if the frame rate is not constant.
        """
        people = footage.people
        num_frames = len(people.people)
        fps = footage.frames.fps
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
        return replace(
            _untimed_clip(footage, tracks, fps),
            source=footage.frames.path,
            times=None if even else times,
            cuts=tuple(people.cuts),
        )

    def start(self, fps: float) -> Callable[[Footage], Clip2D]:
        """Return a function that tracks the people in one frame of a stream."""
        tracker = Tracker(fps)
        index = -1

        def track(footage: Footage) -> Clip2D:
            nonlocal index
            [people] = footage.people.people
            [time] = footage.people.times
            # The tracker expects frame numbers at a constant rate.
            index = max(index + 1, round(time * fps))
            tracks = [
                make_track(person.id, [(0, people, person.row)])
                for person in tracker.update(people, index)
                if person.id >= 0
            ]
            return replace(_untimed_clip(footage, tracks, fps), times=np.array([time]))

        return track


def _untimed_clip(footage: Footage, tracks: list[Track2D], fps: float) -> Clip2D:
    """Return a clip without timestamps, with the lens that the video's file states."""
    frames = footage.frames
    size = footage.people.size
    clip = Clip2D(frames.name, footage.people.skeleton, tracks, *size, fps)
    if frames.focal_35mm is None:
        return clip
    return replace(clip, lens=Lens.of_35mm(frames.focal_35mm, *size))
