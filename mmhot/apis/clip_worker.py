"""Processing of many inputs with models that are loaded once, and its resumption."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmhot.apis.export import export
from mmhot.apis.lifting import (
    lift_source,
    open_pose_estimator,
    open_video_lifter,
    tuned,
)
from mmhot.apis.options import InferRunOptions
from mmhot.apis.progress import Bars, no_bar, stage_bars
from mmhot.errors import explain_any, is_debugging, require_file
from mmhot.io.arrays import load_json
from mmhot.io.atomic import CACHE_FOLDER, replacing
from mmhot.io.writers.keypoints_2d import write_keypoints
from mmhot.lifting.clip_encoder import NotLiftableError
from mmhot.lifting.lifter import LIFTING_RULES
from mmhot.motion.camera_path import describe_path
from mmhot.structures.clips import Clip2D
from mmhot.video.cache import (
    describe_file,
    digest,
    file_facts,
    log_unusable,
    save_if_possible,
    short_name,
)
from mmhot.video.inputs import ClipInput
from mmhot.video.pipeline import StageTimes, VideoLifter
from mmhot.video.tracking import TRACKING_RULES

# Options that change no result, or name models, which are described by their weights.
_IRRELEVANT = {
    *('out_dir', 'device', 'batch_size', 'resume', 'no_cache', 'pose2d', 'det_model'),
    *('pose2d_weights', 'det_weights', 'pose3d', 'pose3d_weights', 'backend'),
}


@dataclass
class Outcome:
    """Result of processing one input.

    Attributes:
        name (str): Name of the input.
        times (StageTimes): Times of the stages, as far as they were reached.
        people (int): Number of lifted people.
        error (str): Reason of a failure in one line; empty on success.
        skipped (bool): Whether an earlier run had finished the input.
    """

    name: str
    times: StageTimes = field(default_factory=StageTimes)
    people: int = 0
    error: str = ''
    skipped: bool = False


class ClipWorker:
    """Lifts inputs and writes the results.

    Args:
        options (InferRunOptions): Options of ``mmhot infer``.
        say (Callable): Receives lines for the user.
        complain (Callable): Receives warnings about inputs.
        run (str): Identifies the run: its own results are never computed twice.
        bars (Bars): Opens progress bars; none by default.
    """

    def __init__(
        self,
        options: InferRunOptions,
        say: Callable[[str], None],
        complain: Callable[[str], None],
        run: str = '',
        bars: Bars = no_bar,
    ) -> None:
        self._options = options
        self._say, self._complain = say, complain
        self._run, self._bars = run, bars
        self._pipeline: VideoLifter | None = None
        self._lifter_digest = ''

    def prepare(self, with_2d: bool) -> VideoLifter:
        """Load the models that are not loaded yet.

        Args:
            with_2d (bool): Whether the 2D models are needed.

        Returns:
            VideoLifter: The models.
        """
        options = self._options
        if self._pipeline is None:
            cache = None if options.no_cache else options.out_dir
            self._pipeline = open_video_lifter(options, cache)
            lifter = self._pipeline.lifter
            self._say(f'lifter: {lifter.name}')
            self._lifter_digest = lifter.network.identity
        if with_2d and self._pipeline.pose_estimator is None:
            models = open_pose_estimator(options, self._say)
            self._pipeline.pose_estimator = models
            self._say(
                f'boxes: {models.detector.name}, 2D keypoints: {models.estimator.name}'
            )
        return self._pipeline

    def __call__(self, item: ClipInput) -> Outcome:
        """Process an input; errors are returned in the outcome."""
        outcome = Outcome(item.name)
        with self._forwarded_warnings():
            try:
                self.prepare(not item.has_keypoints)
                self._process(item, outcome)
            except NotLiftableError as error:
                outcome.people = len(error.clip.tracks)
                path = self._options.out_dir / f'{error.clip.name}.npz'
                write_keypoints(error.clip, path)
                self._complain(str(error))
                self._say(f'{path} (2D keypoints only)')
            except Exception as error:
                if is_debugging():
                    raise
                outcome.error = explain_any(error)
        return outcome

    def _process(self, item: ClipInput, outcome: Outcome) -> None:
        options, times = self._options, outcome.times
        # before the models are tuned
        facts = digest(self._facts(item))
        before = self._find_completed(item, facts)
        if before:
            outcome.skipped, outcome.people = True, before['people']
            times.num_frames = before['frames']
            self._say(f'{item.name}: was finished before')
            return
        source = item.open()
        if isinstance(source, Clip2D) and options.html_frames:
            raise ValueError('html_frames needs a video, and there is none')
        with (
            tuned(self._pipeline, source, options.target_fps, self._say) as pipeline,
            stage_bars(self._bars, source.name) as show,
        ):
            lifted = lift_source(pipeline, source, show, times)
        files = []
        if lifted is None:
            self._say(f'{item.name}: no person was found in {times.num_frames} frames')
        else:
            with times.measure('write'):
                footage = None if isinstance(source, Clip2D) else source
                files = export(lifted, options, footage, self._say, self._bars)
            outcome.people = len(set(lifted.track.tolist()))
            if options.camera == 'auto' and lifted.camera_path is not None:
                self._say(f'{item.name}: {describe_path(lifted.camera_path)}')
        if self._is_kept(item):
            # size, modification time and digest of samples of each file
            record = {
                'facts': facts,
                'run': self._run,
                'files': {file.name: _state(file) for file in files},
                'frames': times.num_frames,
                'people': outcome.people,
            }
            save_if_possible(lambda: _save_record(options.out_dir, item.name, record))

    def _find_completed(self, item: ClipInput, facts: str) -> dict[str, Any] | None:
        """Look up the record of an input that must not be computed again."""
        if not self._is_kept(item):
            return None
        before = _load_record(self._options.out_dir, item.name, facts)
        is_reused = before and (self._options.resume or before['run'] == self._run)
        return before if is_reused else None

    def _is_kept(self, item: ClipInput) -> bool:
        # the content of addresses may have changed
        return not self._options.no_cache and item.path.exists()

    def _facts(self, item: ClipInput) -> dict[str, Any]:
        """Collect all that the results of an input depend on, as plain values."""
        options = {
            each.name: str(getattr(self._options, each.name))
            for each in fields(self._options)
            if each.name not in _IRRELEVANT
        }
        return {
            'rules': [TRACKING_RULES, LIFTING_RULES],
            'input': file_facts(item.path),
            '2D': None
            if item.has_keypoints
            else self._pipeline.pose_estimator.identity,
            'lifter': self._lifter_digest,
            'options': options,
        }

    @contextmanager
    def _forwarded_warnings(self) -> Iterator[None]:
        """Pass warnings of mmhot's loggers to ``complain``."""
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self._complain(record.getMessage())
        logger = logging.getLogger('mmhot')
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


def _save_record(folder: Path, name: str, record: dict[str, Any]) -> None:
    """Write the record of a finished input into the folder of the results."""
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        text = json.dumps({'checksum': digest(record), **record})
        temporary.write_text(text, encoding='utf-8')


def _load_record(folder: Path, name: str, facts: str) -> dict[str, Any] | None:
    """Load the record of an input; None unless facts and results are unchanged."""
    path = _path(folder, name)
    try:
        record = load_json(require_file(path))
        if record.pop('checksum') != digest(record):
            raise ValueError('checksum')
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        log_unusable(path)
        return None
    try:
        states = {file: _state(folder / file) for file in record['files']}
    except OSError:
        return None
    return record if (states, facts) == (record['files'], record['facts']) else None


def _path(folder: Path, name: str) -> Path:
    short = short_name(name)
    short += '' if short == name else f'-{digest(name)}'
    return folder / CACHE_FOLDER / f'{short}.finished.json'


def _state(file: Path) -> list:
    return describe_file(file)[1:]
