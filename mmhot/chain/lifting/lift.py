"""Step ``lift``: lift tracked 2D keypoints to 3D poses."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar

import numpy as np

from mmhot.chain.lifting.gaps import TORSO
from mmhot.chain.lifting.lifted import Lifted
from mmhot.chain.lifting.lifter import Lifter, open_network
from mmhot.chain.lifting.networks import Keep
from mmhot.chain.lifting.one_floor import legs_unseen
from mmhot.chain.pose2d.options import SPEEDS, RuntimeOptions
from mmhot.chain.step import Step
from mmhot.errors import list_people
from mmhot.options import Option, split_numbers
from mmhot.progress import CountStage, no_count
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D

_LOGGER = logging.getLogger(__name__)


class NotLiftableError(ValueError):
    """Error for keypoints that lack the joints that a 3D pose needs.

    Attributes:
        clip (Clip2D): The keypoints, which can still be saved in 2D.
    """

    def __init__(self, clip: Clip2D) -> None:
        super().__init__(
            f'{clip.name}: the keypoints of {clip.skeleton} cannot be lifted to 3D: '
            'that needs both shoulders or both hips, see mmhot.convert_keypoints for '
            'the names of joints'
        )
        self.clip = clip


def check_liftable(clip: Clip2D, skeleton: Skeleton) -> None:
    """Check that a clip has the joints that a lifter needs.

    Args:
        clip (Clip2D): Keypoints. People need both shoulders or both hips; other
            skeletons need any joint.
        skeleton (Skeleton): Skeleton of the lifter.

    Raises:
        NotLiftableError: If the clip lacks them.
    """
    points = np.zeros((get_skeleton(clip.skeleton).num_keypoints, 2))
    converted, *_ = convert_keypoints(points, None, clip.skeleton, skeleton.name)
    finite = np.isfinite(converted).all(-1)
    if skeleton is get_skeleton('h36m-17'):
        finite = finite[TORSO].reshape(2, 2).all(-1)
    if not finite.any():
        raise NotLiftableError(clip)


def read_keep(value: int | str | Iterable[int]) -> int | list[int]:
    """Read the number of frames that each pruner keeps.

    Args:
        value (int | str | Iterable[int]): A number, a list, or text such as '13,5'.

    Returns:
        int | list[int]: A number, or one for each pruner.

    Raises:
        ValueError: If text is not made of whole numbers.
        TypeError: If another value is not made of whole numbers.
    """
    counts = split_numbers(value, int)
    return counts[0] if len(counts) == 1 else counts


@dataclass(frozen=True, kw_only=True)
class LiftingStep(RuntimeOptions, Step):
    """The lift, between the steps for keypoints and the steps for poses."""

    name = 'lift'
    title = 'lifter'
    optional = False
    default: ClassVar[str | None] = None  # name of the default lifter; None: for clips

    pose3d: Annotated[
        str | None,
        'lifter: a name from `mmhot list`, a folder from `mmhot export`, or a config '
        '(file or mmhot::PATH; a program that is run) (default: the shipped one)',
        Option(metavar='MODEL', decides=False),
    ] = None
    pose3d_weights: Annotated[
        str | None,
        'checkpoint of the lifter; nothing in the file is run',
        Option(metavar='FILE', decides=False),
    ] = None

    keep: Keep | None = None  # frames of a window that each pruner keeps

    def open(self) -> Lifter:
        """Open the lifter of the options, by default that of the speed."""
        speed = SPEEDS[self.speed]
        model = self.pose3d
        if model is None and self.pose3d_weights is None:
            model = self.default or speed.lifter
        network = open_network(
            model, self.pose3d_weights, self.device, self.keep, self.backend
        )
        return Lifter(network, flip_test=speed.flip_3d)


@dataclass(frozen=True, kw_only=True)
class Lift(LiftingStep):
    """Lift the tracked people of a whole clip to 3D."""

    keep: Annotated[
        Keep | None,
        'frames of a window that each pruner of the lifter keeps (default: as trained)',
        Option(
            read=read_keep,
            expected='a number of frames such as 27, or a list such as 13,5',
            metavar='N[,N]',
        ),
    ] = None

    def __call__(
        self, clip: Clip2D, lifter: Lifter, count: CountStage = no_count
    ) -> tuple[Clip3D, Lifted]:
        """Lift a clip.

        Returns:
            tuple[Clip3D, Lifted]: Poses in camera axes, and what they were lifted from.

        Raises:
            NotLiftableError: If the skeleton lacks joints that the lifter needs.
        """
        check_liftable(clip, lifter.skeleton)
        segments = lifter.prepare(clip)
        poses, evidence = lifter.lift(clip, segments, partial(count, self.part))
        poses = replace(poses, steps=clip.steps, cuts=clip.cuts)
        poses = self._keep_detections(poses, clip, lifter.skeleton.num_keypoints)
        _warn_of_undetected_legs(poses)
        return poses, Lifted(clip, lifter.mapping, lifter.network.weights, evidence)

    def _keep_detections(self, poses: Clip3D, clip: Clip2D, lifted: int) -> Clip3D:
        """Add all detected keypoints to the poses if more than ``lifted`` joints."""
        skeleton = get_skeleton(clip.skeleton)
        count = skeleton.num_keypoints
        if count <= lifted:
            return poses
        keypoints = np.full((len(poses), count, 2), np.nan, np.float32)
        scores = np.zeros((len(poses), count), np.float32)
        for track in clip.tracks:
            rows = np.flatnonzero(poses.track == track.track)
            _, shown, detected = np.intersect1d(
                poses.frame[rows], track.frames, return_indices=True
            )
            keypoints[rows[shown]] = track.keypoints[detected]
            scores[rows[shown]] = track.scores[detected]
        _LOGGER.info(
            '%s: of %d keypoints %d joints are lifted; .npz, .json and .coco.json keep '
            'all in 2D',
            clip.name,
            count,
            lifted,
        )
        return replace(
            poses,
            detected_joints=skeleton.joints,
            detected_2d=keypoints,
            detected_scores=scores,
        )


def _warn_of_undetected_legs(poses: Clip3D) -> None:
    """Warn of people whose knees and ankles are detected in no frame."""
    unseen = legs_unseen(poses)
    tracks = [x for x in poses.track_ids if unseen[poses.track == x].all()]
    if tracks:
        _LOGGER.warning(
            '%s: the legs of %s are not detected: .html and .mp4 do not show '
            'them, in other files they hang down; they do not count for the floor',
            poses.name,
            list_people(tracks),
        )
