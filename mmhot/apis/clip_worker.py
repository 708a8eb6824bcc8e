"""Lifts inputs one after the other with models that are loaded once."""

import argparse
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from mmhot.apis.completed_runs import Finished, load_finished
from mmhot.apis.export import Bars, check_targets, export, show_progress
from mmhot.cli.device import choose_device
from mmhot.cli.errors import explain, is_user_error
from mmhot.clips import Clip2D, Clip3D
from mmhot.lifting.lifter import LIFTING_RULES, Lifter
from mmhot.video.cache import describe, fingerprint, save_if_possible
from mmhot.video.frames import FrameSource
from mmhot.video.inputs import ClipInput
from mmhot.video.pipeline import StageTimes, VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources import pose_source
from mmhot.video.tracking import TRACKING_RULES

# Options that change no result, or whose models are described by what is in them.
_IRRELEVANT = {
    *('inputs', 'out_dir', 'command', 'run', 'say', 'quiet', 'device', 'batch_size'),
    *('resume', 'no_cache', 'runner', 'address', 'retries', 'num_workers'),
    *('cpus_per_worker', 'gpus_per_worker', 'pose2d', 'pose2d_weights', 'det_model'),
    *('det_weights', 'pose3d', 'pose3d_weights'),
}


@dataclass
class Outcome:
    """What became of an input.

    Attributes:
        name (str): Of the input.
        times (StageTimes): Of its stages, as far as it got.
        people (int): People that were lifted.
        error (str): Why it failed, in one line; empty if it did not.
        skipped (bool): Whether it was finished before.
    """

    name: str
    times: StageTimes = field(default_factory=StageTimes)
    people: int = 0
    error: str = ''
    skipped: bool = False


class ClipWorker:
    """Lifts inputs and writes the results.

    Args:
        args (argparse.Namespace): Options of ``mmhot infer``.
        say (Callable): Told what people may want to know, a line at a time.
        complain (Callable): Told what is wrong with inputs that can be used.
        run (str): Names the run; what was finished in it is not done again.
        bars (Bars): What shows progress; bars in the terminal by default.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        say: Callable[[str], None],
        complain: Callable[[str], None],
        run: str = '',
        bars: Bars = show_progress,
    ) -> None:
        self._args = argparse.Namespace(**{**vars(args), 'say': say})
        self._complain = complain
        self._run = run
        self._show_progress = bars
        self._pipeline: VideoLifter | None = None
        self._lifter_digest = ''

    def prepare(self, with_2d: bool) -> VideoLifter:
        """Load the models, unless they are; the 2D models only if they are needed."""
        args = self._args
        device = choose_device(args.device)
        if self._pipeline is None:
            self._pipeline = self._load_lifter(device)
        if with_2d and self._pipeline.pose_estimator is None:
            options = args.pose2d, args.pose2d_weights, args.det_model, args.det_weights
            detector, estimator = pose_source.open_pose_source(*options, device)
            args.say(f'boxes: {detector.name}, 2D keypoints: {estimator.name}')
            self._pipeline.pose_estimator = VideoPoseEstimator(
                detector, estimator, args.det_every, args.batch_size
            )
        return self._pipeline

    def __call__(self, item: ClipInput) -> Outcome:
        """Lift an input; what goes wrong is in the outcome."""
        outcome = Outcome(item.name)
        with self._passing_warnings():
            try:
                self.prepare(not item.has_keypoints)
                self._work(item, outcome)
            except Exception as error:
                if os.environ.get('MMHOT_DEBUG') == '1':
                    raise
                outcome.error = explain(error)
                if not is_user_error(error):
                    outcome.error = (
                        f'{type(error).__name__}: {outcome.error} (MMHOT_DEBUG=1 shows '
                        'where)'
                    )
        return outcome

    def _load_lifter(self, device: str) -> VideoLifter:
        args = self._args
        lifter = Lifter(args.pose3d, args.pose3d_weights, device=device, keep=args.keep)
        args.say(f'lifter: {lifter.name}')
        self._lifter_digest = fingerprint(lifter.model, lifter.name)
        return VideoLifter(
            None,
            lifter,
            kpt_thr=args.kpt_thr,
            smooth_2d=args.smooth_2d,
            smooth_3d=args.smooth_3d,
            mapping=args.mapping,
            fov=args.fov,
            intrinsics=args.intrinsics,
            cache=None if args.no_cache else args.out_dir,
        )

    def _work(self, item: ClipInput, outcome: Outcome) -> None:
        """Do what is not finished."""
        args, times = self._args, outcome.times
        facts = self._facts(item)
        before = self._finished(item, facts)
        if before:
            outcome.skipped, outcome.people = True, before.people
            times.num_frames = before.frames
            args.say(f'{item.name}: was finished before')
            return
        check_targets(item.name, [], args, [item.path] if item.path.exists() else [])
        source = item.open()
        lifted = self._lift(source, times)
        files = []
        if lifted is None:
            args.say(f'{item.name}: nobody was found in {times.num_frames} frames')
        else:
            with times.measure('write'):
                footage = None if isinstance(source, Clip2D) else source
                files = export(lifted, args, footage, self._show_progress)
            outcome.people = len(set(lifted.track.tolist()))
        if self._is_kept(item):
            counts = times.num_frames, outcome.people
            finished = Finished.of(files, facts, self._run, *counts)
            save_if_possible(lambda: finished.save(args.out_dir, item.name))

    def _finished(self, item: ClipInput, facts: dict) -> Finished | None:
        """What is known of an input that must not be done again."""
        if not self._is_kept(item):
            return None
        before = load_finished(self._args.out_dir, item.name, facts)
        again = before and not self._args.resume and before.run != self._run
        return None if again else before

    def _is_kept(self, item: ClipInput) -> bool:
        # of addresses nobody knows whether they still show the same
        return not self._args.no_cache and item.path.exists()

    def _lift(self, source: FrameSource | Clip2D, times: StageTimes) -> Clip3D | None:
        with self._bars(source.name) as show:
            if isinstance(source, Clip2D):
                with times.measure('3D'):
                    lifted = self._pipeline.lift(
                        source, lambda *done: show('3D', *done)
                    )
                times.num_frames = len(set(lifted.frame.tolist()))
                return lifted
            lifted, _ = self._pipeline(source, show, times)
        if source.ended:
            self._complain(source.ended)
        if source.num_damaged:
            self._complain(f'{source.path}: {source.num_damaged} frames are damaged')
        return lifted

    def _facts(self, item: ClipInput) -> dict[str, Any]:
        """Everything that the results of an input depend on, plain values."""
        options = {k: v for k, v in vars(self._args).items() if k not in _IRRELEVANT}
        return {
            'rules': [TRACKING_RULES, LIFTING_RULES],
            'input': describe(item.path),
            '2D': None
            if item.has_keypoints
            else self._pipeline.pose_estimator.identity,
            'lifter': self._lifter_digest,
            'options': {name: str(value) for name, value in sorted(options.items())},
        }

    @contextmanager
    def _passing_warnings(self) -> Iterator[None]:
        """Complain of what mmhot's modules warn of."""
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self._complain(record.getMessage())
        logger = logging.getLogger('mmhot')
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    @contextmanager
    def _bars(self, name: str) -> Iterator[Callable[[str, int, int], None]]:
        """Yield a function of (stage, done, total) that draws a bar for each stage."""
        with ExitStack() as opened:
            shown = {}

            def show(stage: str, done: int, total: int) -> None:
                if stage not in shown:
                    bar = self._show_progress(f'{name}: {stage}', self._args.quiet)
                    shown[stage] = opened.enter_context(bar)
                shown[stage](done, total)

            yield show
