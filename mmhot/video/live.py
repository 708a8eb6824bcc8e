"""3D poses of a stream, a fixed time behind it.

A lifter wants to know what comes after the frame that it lifts. A stream can wait for
that, by its look-ahead; beyond it the newest frame is repeated, as clips' last frames
are. ``docs/streaming.md`` says what waiting is worth.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from mmhot.lens import Lens, camera_intrinsics, ideal_camera, settle_lens
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.video.capture import Interruption
from mmhot.video.frames import Frame
from mmhot.video.live_tracks import Sight, Trail, sample
from mmhot.video.lookahead import first_target, settle_lookahead, target_position
from mmhot.video.people import People
from mmhot.video.pose_estimation import Finder
from mmhot.video.tracking import Tracker

_H36M = get_skeleton('h36m-17')
# Seconds out of sight after which people are somebody new.
_MEMORY = 2.0
LIVE_SMOOTHERS = ('none', 'one-euro')
"""Smoothing that needs no frames from the future."""


@dataclass
class LivePerson:
    """One person in one frame of a stream.

    Attributes:
        track (int): Their number.
        keypoints_3d (np.ndarray): Human3.6M-17 joints around the root, meters, camera
            axes (x right, y down, z away), (17, 3).
        root_3d (np.ndarray): Where the root is before the camera, meters, (3,); NaN if
            unknown.
        keypoints_2d (np.ndarray): The pixels that were lifted, (17, 2).
        scores (np.ndarray): Their confidence, 0 where they were filled in, (17,).
        broken (bool): Whether this person was lost between the last pose and this one,
            so that the motion in between is unknown.
    """

    track: int
    keypoints_3d: np.ndarray
    root_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    broken: bool


@dataclass
class LivePoses:
    """Everybody in one frame of a stream.

    Attributes:
        frame (Frame): As it was given; without its image, unless images are kept.
        people (list[LivePerson]): By number.
    """

    frame: Frame
    people: list[LivePerson]


class LiveLifter:
    """Lifts the people of a stream, frame by frame.

    Each frame's poses are given once the stream has gone on by the look-ahead. What is
    kept does not grow with the stream.

    Args:
        finder (Finder): Finds 2D keypoints.
        lifter (Lifter): Lifts them.
        fps (float): Frames per second of the stream, about; true times count.
        lookahead (int, optional): Frames to wait for before a frame is lifted. By
            default 4, or 0 if the lifter looks at the past only.
        kpt_thr (float): Keypoints of less confidence count as not seen. Defaults to
            0.2.
        smooth_2d (str): 'one-euro' or 'none', the default.
        smooth_3d (str): 'one-euro' or 'none', the default.
        mapping (str, optional): See :class:`mmhot.lifting.lifter.Lifter`.
        fov (float, optional): Degrees from the left to the right of the picture.
        intrinsics (Lens, optional): The camera's lens, in place of ``fov``.
        max_gap (float): Seconds for which somebody may be out of sight and is filled
            in once they are back. Defaults to 1.
        keep_images (bool): Whether results have their frame's image. Defaults to
            False.

    Attributes:
        lookahead (int): Frames.
        latency (float): The same in seconds. What finding and lifting take comes on
            top.

    Raises:
        ValueError: If a number is out of range or a name unknown.

    Example::

        from mmhot.video.capture import Capture
        from mmhot.video.streams import open_stream
        with Capture(open_stream('rtsp://camera/live')) as capture:
            live = LiveLifter(finder, lifter, capture.stream.fps)
            for poses in live(capture):
                for person in poses.people:
                    person.keypoints_3d  # (17, 3), meters
    """

    def __init__(
        self,
        finder: Finder,
        lifter: Lifter,
        fps: float,
        lookahead: int | None = None,
        kpt_thr: float = 0.2,
        smooth_2d: str = 'none',
        smooth_3d: str = 'none',
        mapping: str | None = None,
        fov: float | None = None,
        intrinsics: Lens | None = None,
        max_gap: float = 1.0,
        keep_images: bool = False,
    ) -> None:
        for name, method in (('smooth_2d', smooth_2d), ('smooth_3d', smooth_3d)):
            if method not in LIVE_SMOOTHERS:
                raise ValueError(
                    f'{name} of a stream must be {" or ".join(LIVE_SMOOTHERS)}, as '
                    f'others need what comes later; got {method!r}'
                )
        if not max_gap > 0:
            raise ValueError(f'max_gap must be above 0 seconds, got {max_gap}')
        self.finder = finder
        self.lifter = lifter
        self.fps = fps
        self.tracker = Tracker(fps, _MEMORY)
        self.lookahead = settle_lookahead(lifter, fps, lookahead)
        self.latency = self.lookahead / fps
        self.kpt_thr = kpt_thr
        self.smooth_2d = smooth_2d == 'one-euro'
        self.smooth_3d = smooth_3d == 'one-euro'
        self.mapping = mapping or lifter.mapping
        self.fov = fov
        self.intrinsics = intrinsics
        self.max_gap = max_gap
        self.keep_images = keep_images
        self._target = target_position(lifter, round(self.latency * lifter.fps))
        steps = np.arange(lifter.seq_len) - self._target
        self._offsets = steps / lifter.fps
        self._trails: dict[int, Trail] = {}
        self._pending: deque[Frame] = deque()
        self._before: People | None = None
        self._count = 0
        self._index = -1
        self._size: tuple[int, int] | None = None
        self._now: float | None = None

    def __call__(self, items: Iterable[Frame | Interruption]) -> Iterator[LivePoses]:
        """Lift a whole stream.

        Args:
            items (Iterable[Frame | Interruption]): Such as a
                :class:`mmhot.video.capture.Capture`.

        Yields:
            LivePoses: Of every frame, in order.
        """
        for item in items:
            if isinstance(item, Interruption):
                yield from self.interrupt()
            else:
                yield from self.update(item)
        yield from self.flush()

    def update(self, frame: Frame) -> list[LivePoses]:
        """Take the stream's next frame.

        Args:
            frame (Frame): Later than those before; frames may be missing in between.

        Returns:
            list[LivePoses]: Of earlier frames, whose time has come: one as a rule;
            none at first, more after frames were missing.

        Raises:
            ValueError: If time does not go on.
        """
        if self._now is not None and not frame.time > self._now:
            raise ValueError(f'time must go on from {self._now} s, got {frame.time} s')
        self._now = frame.time
        size = frame.image.shape[1::-1]
        done = self.interrupt() if self._size not in (None, size) else []
        self._size = size
        self._find(frame)
        kept = frame if self.keep_images else replace(frame, image=None)
        self._pending.append(kept)
        # times are not exact: half a frame early is right then
        due = frame.time - self.latency + 0.5 / self.fps
        while self._pending and self._pending[0].time <= due:
            done.append(self._lift(self._pending.popleft()))
        self._forget(frame.time)
        return done

    def interrupt(self) -> list[LivePoses]:
        """Give what waits, as the stream has stopped; it may go on later.

        People who are recognized then are marked as broken.

        Returns:
            list[LivePoses]: Of frames that were still to come.
        """
        done = self.flush()
        self._before = None
        for trail in self._trails.values():
            trail.break_off()
        return done

    def flush(self) -> list[LivePoses]:
        """Give what waits, as the stream has ended: poses of the last frames."""
        done = [self._lift(frame) for frame in self._pending]
        self._pending.clear()
        return done

    def facts(self, size: tuple[int, int]) -> dict:
        """What results depend on, as plain values, for pictures of this size."""
        lens = settle_lens(*size, self.fov, self.intrinsics)
        focal, _ = camera_intrinsics(ideal_camera(*size, lens))
        return {
            'model': self.lifter.name,
            'pose2d': self.finder.estimator.name,
            'detector': self.finder.detector.name,
            'joint_names': list(_H36M.joints),
            'parents': list(_H36M.parents),
            'focal_length': float(focal[0]),
            'focal_assumed': lens is None,
            'intrinsics': [] if lens is None else list(lens.parameters),
            'smooth_2d': 'one-euro' if self.smooth_2d else 'none',
            'smooth_3d': 'one-euro' if self.smooth_3d else 'none',
        }

    def _find(self, frame: Frame) -> None:
        """Find the people of a frame, and remember what they look like."""
        people = self.finder.follow(
            replace(frame, index=self._count), self._before, self.finder.every()
        )
        self._before = people
        self._count += 1
        # the tracker's frames are as many a second, whatever was left out
        self._index = max(self._index + 1, round(frame.time * self.fps))
        ids = self.tracker.update(people, self._index)
        keypoints = np.where(
            (people.scores >= self.kpt_thr)[..., None], people.keypoints, np.nan
        )
        keypoints, scores, _ = convert_keypoints(
            *(keypoints.astype(np.float32), people.scores),
            *(self.finder.estimator.skeleton, _H36M.name, self.mapping),
        )
        for row in np.flatnonzero(ids >= 0):
            trail = self._trails.get(ids[row])
            if trail is None:
                trail = Trail(self.max_gap, self.smooth_2d, self.smooth_3d)
                self._trails[ids[row]] = trail
            trail.add(frame.time, keypoints[row], scores[row])

    def _lift(self, frame: Frame) -> LivePoses:
        """Lift those who were there in a frame of before."""
        sights = {
            track: around
            for track, trail in sorted(self._trails.items())
            if (around := trail.around(frame.time))
        }
        if not sights:
            return LivePoses(frame, [])
        windows = np.stack(
            [sample(each, frame.time + self._offsets) for each in sights.values()]
        )
        lens = settle_lens(*self._size, self.fov, self.intrinsics)
        camera, straight = ideal_camera(*self._size, lens), windows.copy()
        if lens is not None:
            straight[..., :2] = lens.straighten(windows[..., :2])
        seen = straight if self.lifter.reads_scores else straight[..., :2]
        with torch.inference_mode():
            poses = self.lifter.predict(seen, camera)
        poses = poses[:, self._target - first_target(self.lifter)]
        ideal = camera_intrinsics(camera)
        people = []
        for row, (track, pose) in enumerate(zip(sights, poses, strict=True)):
            pixels = windows[row, self._target, :, :2]
            piece = sights[track][0].piece
            scores = _scores_at(sights[track], frame.time)
            sight = Sight(frame.time, straight[row, self._target, :, :2], scores, piece)
            pose, root, broken = self._trails[track].place(sight, pose, *ideal)
            people.append(LivePerson(int(track), pose, root, pixels, scores, broken))
        return LivePoses(frame, people)

    def _forget(self, now: float) -> None:
        """Drop what no frame to come needs."""
        oldest = self._pending[0].time if self._pending else now
        span = max(-self._offsets[0], self.max_gap)
        for track, trail in list(self._trails.items()):
            trail.forget(oldest - span)
            if oldest - trail.last_seen > span + _MEMORY:
                del self._trails[track]


def _scores_at(sights: list[Sight], time: float) -> np.ndarray:
    """Confidence (17,) at a time, 0 in frames in which a person was not found."""
    for sight in sights:
        if sight.time == time:
            return sight.scores
    return np.zeros(len(_H36M.joints), np.float32)
