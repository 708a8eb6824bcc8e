"""The list of the chain's steps: the one place where they are chosen, with settings."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmhot.chain.chain import Chain
from mmhot.chain.core_steps import EstimatePoses, Lift, SetLens, TrackPeople
from mmhot.chain.options import InferOptions, LiftOptions, RefineOptions
from mmhot.chain.progress import Bars, no_bar
from mmhot.chain.steps import registered_steps, signature_of
from mmhot.errors import ArgumentError
from mmhot.lifting.lifter import Lifter
from mmhot.motion.camera import RestoreCamera, StabilizeCamera
from mmhot.motion.confidence import DropUncertain
from mmhot.motion.expected_error import ExpectErrors, read_coefficients
from mmhot.motion.extremities import AddJoints
from mmhot.motion.foot_lock import LockFeet
from mmhot.motion.given_poses import KeepBones, TakePoses
from mmhot.motion.people import ChoosePeople
from mmhot.motion.returning import MergeReturning
from mmhot.motion.side_swaps import RepairSides
from mmhot.motion.smoothing import SmoothPoses
from mmhot.pose2d import pose_source
from mmhot.pose2d.estimation import VideoPoseEstimator
from mmhot.pose2d.options import Pose2DOptions
from mmhot.pose2d.speed import SPEEDS
from mmhot.weights.names import NAMED_FILES

Say = Callable[[str], None]
# Frames from one whose background is looked at to the next, by what is known of the
# camera; in other modes it is not looked at.
_INTERVALS = {'rotating': 1, 'auto': 15}
_MORE_ACCURATE = (
    ' (trained on rendered people only, finds 3 of 4 joints on photos; more accurate, '
    'once downloaded: --pose2d movenet, 17 MB, or human, RTMPose-m, 150 MB)'
)


def build_chain(
    options: InferOptions | LiftOptions | RefineOptions,
    cache: Path | None = None,
    say: Say = lambda line: None,
    bars: Bars = no_bar,
    accuracy: str = 'best',
    lifter: Lifter | None = None,
    models: VideoPoseEstimator | None = None,
) -> Chain:
    """Load the lifter, unless poses are refined, and list the steps, in order.

    Args:
        options (InferOptions | LiftOptions | RefineOptions): What the steps do, and
            which are left out.
        cache (Path, optional): Folder of intermediate results.
        say (Callable): Receives lines for the user.
        bars (Bars): Opens a progress bar, for downloads.
        accuracy (str): See :class:`mmhot.Lifter`.
        lifter (Lifter, optional): In place of the options' one.
        models (VideoPoseEstimator, optional): In place of the options' 2D models, which
            are opened when they are needed.
    """
    if isinstance(options, RefineOptions):
        refining = _refining_steps(options, say)
        return Chain([x for x in refining if x.name not in options.without])
    if lifter is None:
        lifter = Lifter(**options.lifter_settings(), accuracy=accuracy)
    if options.joints > 17 and not lifter.is_person:
        raise ArgumentError(
            '{joints=24} is for people, not for %s', lifter.skeleton.name
        )
    steps = [x for x in _steps(options, lifter, say) if x.name not in options.without]
    if isinstance(options, Pose2DOptions):
        steps = [TrackPeople(), *steps]
        facts = {name for step in steps for name in signature_of(step).facts}
        mode = options.camera_mode
        facts -= {'background'} if mode not in _INTERVALS else set()
        open_them = partial(open_models, options, say, bars)
        opener = open_them if models is None else lambda: models
        first = EstimatePoses(opener, facts, _INTERVALS.get(mode, 1), cache)
        steps = [first, *steps]
    return Chain(steps)


def _steps(
    options: InferOptions | LiftOptions, lifter: Lifter, say: Say
) -> Iterator[Any]:
    """List all steps after tracking, in order."""
    if lifter.is_person:
        yield MergeReturning()
    yield ChoosePeople(options.people, say)
    yield SetLens(options.fov, options.intrinsics)
    yield DropUncertain(options.kpt_thr)
    if lifter.is_person:
        yield RepairSides()
    yield from registered_steps('Clip2D')
    yield StabilizeCamera(options.camera_mode)
    yield Lift(lifter)
    coefficients = read_coefficients(lifter.network.weights)
    if coefficients is not None:
        yield ExpectErrors(coefficients)
    if options.smooth_3d != 'none':
        yield SmoothPoses(options.smooth_3d)
    if options.joints > 17:
        yield AddJoints()
    yield RestoreCamera()
    if lifter.is_person:
        yield LockFeet()
    yield from registered_steps('Clip3D')


def _refining_steps(options: RefineOptions, say: Say) -> Iterator[Any]:
    """List the steps of 3D poses that other tools estimated."""
    yield TakePoses(**options.step_settings(), say=say)
    if options.smooth_3d != 'none':
        yield SmoothPoses(options.smooth_3d)
    yield KeepBones()
    yield LockFeet()
    yield from registered_steps('Clip3D')


def open_models(
    options: Pose2DOptions, say: Say = lambda line: None, bars: Bars = no_bar
) -> VideoPoseEstimator:
    """Load the detector and the 2D model, and name them."""

    def fetch(name: str) -> None:
        file = NAMED_FILES[name]
        if not file.path(name).exists():
            host = urlsplit(file.url).hostname
            say(f'{name}: {file.megabytes:g} MB from {host}, once ({file.license})')
            with bars(f'downloading {name}', 'MB') as show:
                file.fetch(name, show)

    speed = SPEEDS[options.speed]
    detector, estimator = pose_source.open_pose_source(
        options.pose2d,
        options.pose2d_weights,
        options.det_model,
        options.det_weights,
        options.device,
        skeleton=options.pose2d_skeleton,
        backend=options.backend,
        keep_rates=speed.keep_rates,
        fetch=fetch,
    )
    hint = '' if options.pose2d else _MORE_ACCURATE
    say(f'boxes: {detector.name}, 2D keypoints: {estimator.name}{hint}')
    return VideoPoseEstimator(
        detector,
        estimator,
        options.det_every,
        options.batch_size,
        gaps=speed.gaps,
        det_factor=speed.det_factor,
    )
