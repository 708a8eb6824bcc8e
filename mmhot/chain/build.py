"""Chains of the steps that options choose, with their settings."""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmhot.chain.chain import Chain
from mmhot.chain.options import InferOptions, LiftOptions, RefineOptions
from mmhot.chain.progress import Bars, no_bar
from mmhot.chain.steps import BUILT_IN, registered_steps, signature_of
from mmhot.errors import ArgumentError
from mmhot.lifting.lifter import Lifter
from mmhot.motion.expected_error import read_coefficients
from mmhot.pose2d.options import Pose2DOptions
from mmhot.pose2d.speed import SPEEDS
from mmhot.structures.formats import load_function
from mmhot.weights.names import NAMED_FILES

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.pose2d.estimation import VideoPoseEstimator

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
    models: 'VideoPoseEstimator | None' = None,
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
    Thread(target=_import_scipy).start()
    if not isinstance(options, RefineOptions):
        lifter = lifter or Lifter(**options.lifter_settings(), accuracy=accuracy)
        if options.joints > 17 and not lifter.is_person:
            raise ArgumentError(
                '{joints=24} is for people, not for %s', lifter.skeleton.name
            )
    given = {each.name: getattr(options, each.name) for each in fields(options)}
    given |= dict(lifter=lifter, say=say, camera_mode=options.camera_mode)
    given['coefficients'] = lifter and read_coefficients(lifter.network.weights)
    steps: list[Any] = []
    other = 'lift' if lifter is None else 'refine'
    for clip, entries in BUILT_IN.items():
        for entry in entries:
            is_left_out = entry.of == other or entry.name in options.without
            if not is_left_out and entry.wanted(given):
                kind = load_function(entry.kind)
                names = signature(kind).parameters.keys() & given.keys()
                steps.append(kind(**{name: given[name] for name in names}))
        steps += [x for x in registered_steps(clip) if x.name not in options.without]
    if isinstance(options, Pose2DOptions):
        from mmhot.chain.frame_steps import EstimatePoses, TrackPeople

        steps = [TrackPeople(), *steps]
        facts = {name for step in steps for name in signature_of(step).facts}
        mode = options.camera_mode
        facts -= {'background'} if mode not in _INTERVALS else set()
        open_them = partial(open_models, options, say, bars)
        opener = open_them if models is None else lambda: models
        first = EstimatePoses(opener, facts, _INTERVALS.get(mode, 1), cache)
        steps = [first, *steps]
    return Chain(steps)


def _import_scipy() -> None:
    """Import what is needed after the models, whose runs hardly hold Python's lock."""
    for name in ('linalg', 'special'):
        import_module(f'scipy.{name}')


def open_models(
    options: Pose2DOptions, say: Say = lambda line: None, bars: Bars = no_bar
) -> 'VideoPoseEstimator':
    """Load the detector and the 2D model, and name them."""
    from mmhot.pose2d.estimation import VideoPoseEstimator
    from mmhot.pose2d.pose_source import open_pose_source

    def fetch(name: str) -> None:
        file = NAMED_FILES[name]
        if not file.path(name).exists():
            host = urlsplit(file.url).hostname
            say(f'{name}: {file.megabytes:g} MB from {host}, once ({file.license})')
            with bars(f'downloading {name}', 'MB') as show:
                file.fetch(name, show)

    detector, estimator = open_pose_source(options, fetch=fetch)
    speed = SPEEDS[options.speed]
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
