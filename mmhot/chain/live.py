"""Streams: the steps of a pipeline for one frame after the other."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mmhot.chain.run import Chain
from mmhot.chain.user_steps import guarded
from mmhot.errors import require_choice
from mmhot.frames.sources import Frame, FrameSource
from mmhot.io.writers.rigid_skeleton import fit_rig, place_bones
from mmhot.io.writers.rigs import BVH_PROFILES
from mmhot.lifting.lifted import Lifted
from mmhot.lifting.live import LiftedFrame, LiftStream
from mmhot.lifting.refinement import keep_bone_lengths
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.pose2d.footage import Footage
from mmhot.poses.bones import KeepBones
from mmhot.poses.contacts import ANKLES
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips import to_axes
from mmhot.tracking.track import TrackPeople

_RECENT = 2.0  # seconds whose poses show how long bones are


@dataclass
class LivePerson:
    """One person in one frame of a stream.

    Attributes:
        track (int): Track ID.
        keypoints_3d (np.ndarray): Human3.6M-17 joints around the root, meters, camera
            axes (x right, y down, z forward), (17, 3).
        root_3d (np.ndarray): Root position in camera axes, meters, (3,); NaN if
            unknown.
        keypoints_2d (np.ndarray): Pixels, (17, 2).
        scores (np.ndarray): Confidence, 0 for joints that were filled in, (17,).
        broken (bool): Whether the track was lost between the last pose and this one.
        recent (np.ndarray): Joints of the last two seconds in meters, z up, (T, 17, 3).
    """

    track: int
    keypoints_3d: np.ndarray
    root_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    broken: bool
    recent: np.ndarray = field(repr=False)

    def bones(
        self, profile: str = 'lafan1'
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return where the bones are, as :meth:`mmhot.Clip3D.bones`, in this frame.

        Bones are as long as in the last two seconds, and the floor is below the lowest
        foot in them, of a camera that looks horizontally.

        Returns:
            dict[str, tuple[np.ndarray, np.ndarray]]: Position (3,) in meters, z up, and
            quaternion w, x, y, z (4,) by bone: what GMR's retargeters take.
        """
        require_choice('profile', profile, tuple(BVH_PROFILES))
        root, sights = self.recent[:, :1], np.ones((len(self.recent), 3))
        poses = keep_bone_lengths(self.recent - root, sights, KeepBones.rigid)
        places = poses + root
        places[..., 2] -= places[:, ANKLES, 2].min() - ANKLE_HEIGHT
        rig = BVH_PROFILES[profile]
        bones = place_bones(fit_rig(places, rig), rig)
        return {x: (place[-1], turn[-1]) for x, (place, turn) in bones.items()}


@dataclass
class LivePoses:
    """The people of a frame, by track ID.

    Attributes:
        frame (Frame): ``index``, ``time`` and ``image`` of the frame.
        people (list[LivePerson]): Its people.
    """

    frame: Frame
    people: list[LivePerson]

    @property
    def time(self) -> float:
        """Seconds since the first frame."""
        return self.frame.time


class LiveChain:
    """Run the steps of a stream, frame by frame, in bounded memory.

    Steps that are not live are left out. ``fps`` is an approximate rate; the frames'
    times count.
    """

    def __init__(
        self, chain: Chain[Footage, Lifted], frames: FrameSource, fps: float
    ) -> None:
        self.frames, self.fps = frames, fps
        self._most = round(_RECENT * fps)
        self._estimate = chain.find(EstimatePoses).start(frames, chain.models)
        self._track = chain.find(TrackPeople).start(fps)
        self.lifter = chain.find(LiftStream).start(chain.lifter, fps)
        keypoints, poses = chain.keypoints, chain.poses
        self._keypoints = [guarded(x, x.start(fps)) for x in keypoints if x.live]
        self._poses = [guarded(x, x.start(fps)) for x in poses if x.live]
        self.left_out = [x.name for x in keypoints if not x.live]
        self.left_out += [x.name for x in poses if not x.live]
        self._is_interrupted = False
        self._last: Frame | None = None
        self._recent: dict[int, deque[np.ndarray]] = {}

    def __call__(self, items: Iterable[Frame | str]) -> Iterator[LivePoses]:
        """Lift a whole stream, such as a :class:`mmhot.frames.capture.Capture`.

        Text stands for an interruption.
        """
        for item in items:
            if isinstance(item, str):
                yield from self.interrupt()
            else:
                yield from self.update(item)
        yield from self.flush()

    def update(self, frame: Frame) -> list[LivePoses]:
        """Process the next frame; returns the poses of earlier frames that are due.

        Usually that is one frame, none at first, and several after missing frames.
        """
        last, self._last, poses = self._last, frame, list[LivePoses]()
        if last is not None and not frame.time > last.time:
            raise ValueError(
                f'time must increase from {last.time} s, got {frame.time} s'
            )
        if last is not None and last.image.shape != frame.image.shape:
            poses = self.interrupt()
        is_interrupted, self._is_interrupted = self._is_interrupted, False
        footage = self._estimate(frame, is_interrupted)
        clip = self._track(footage)
        for step in self._keypoints:
            clip = step(clip, footage)
        lifted = self.lifter.update(frame, clip, is_interrupted)
        return poses + [self._poses_of(earlier) for earlier in lifted]

    def interrupt(self) -> list[LivePoses]:
        """Lift the pending frames; tracks that go on later are marked as broken."""
        self._is_interrupted = True
        return self.flush()

    def flush(self) -> list[LivePoses]:
        """Lift the pending frames, as at the end of the stream."""
        return [self._poses_of(earlier) for earlier in self.lifter.flush()]

    def _poses_of(self, frame: LiftedFrame) -> LivePoses:
        """Run the steps after lifting; return the people of a frame."""
        clip, people = frame.poses, list[LivePerson]()
        before, self._recent = self._recent, {}
        if clip is None:
            return LivePoses(frame.frame, people)
        for step in self._poses:
            clip = step(clip, frame.lifted)
        places = to_axes(clip, 'z-up').places()
        for row, track in enumerate(clip.track.tolist()):
            broken = track in frame.lifted.returned
            recent = deque(() if broken else before.get(track, ()), self._most)
            recent.append(places[row])
            self._recent[track] = recent
            person = LivePerson(
                track,
                clip.keypoints_3d[row],
                clip.root_3d[row],
                clip.keypoints_2d[row],
                clip.scores[row],
                broken,
                np.array(recent, np.float64),
            )
            people.append(person)
        return LivePoses(frame.frame, people)
