"""Processing of many inputs with one set of loaded models; resuming a run."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmhot.chain.formats import FORMATS
from mmhot.chain.frames.inputs import ClipInput
from mmhot.chain.frames.part import PartOptions, take_frames
from mmhot.chain.lifting.lift import NotLiftableError
from mmhot.chain.options import BatchOptions, OutputOptions
from mmhot.chain.outcome import Outcome, processing
from mmhot.chain.plan import VideoPlan
from mmhot.chain.pose2d.cache import (
    cache_path,
    describe_file,
    require_own,
    save_if_possible,
)
from mmhot.chain.run import Runner
from mmhot.chain.step import Step
from mmhot.chain.user_steps import users
from mmhot.chain.visualization.html import Thumbnails
from mmhot.errors import ArgumentError
from mmhot.io.arrays import load_object
from mmhot.io.atomic import CACHE_FOLDER, replacing
from mmhot.io.lifted import write_keypoints
from mmhot.io.writers.export import VideoOptions
from mmhot.options import Values, options_of
from mmhot.progress import Report, stage_bars
from mmhot.version import digest_of_code, digest_of_part

_LOGGER = logging.getLogger(__name__)
_ENDING = '.finished.json'


class ClipWorker:
    """Open the models once, then lift one video after the other, and write results.

    Args:
        values (Values): Options of steps, frames, results and repeated runs.
        report (Report): Receives lines and progress.
    """

    def __init__(self, values: Values, report: Report = Report()) -> None:
        self._values = values
        self._report = report
        self._output = values.of(OutputOptions)
        self._batch = values.of(BatchOptions)
        cache = None if self._batch.no_cache else self._output.out_dir
        self._plan = VideoPlan(values, report, cache)
        _LOGGER.info('lifter: %s', self._plan.lifter.name)
        self._plan.models  # noqa: B018, opened at first use

    def __call__(self, item: ClipInput) -> Outcome:
        """Process an input; return its files, or its error, in an outcome."""
        outcome = Outcome(item.name)
        with processing(outcome, self._output, self._report):
            try:
                self._process(item, outcome)
            except NotLiftableError as error:
                self._write_keypoints(error, outcome)
        return outcome

    def _write_keypoints(self, error: NotLiftableError, outcome: Outcome) -> None:
        """Write the keypoints of a clip that cannot be lifted, and warn."""
        outcome.people = len(error.clip.tracks)
        path = self._output.out_dir / f'{error.clip.name}.npz'
        write_keypoints(error.clip, path)
        outcome.files.append(path)
        _LOGGER.warning('%s', error)
        left_out = [name for name in self._output.formats if name != 'npz']
        without = f', no .{", .".join(left_out)}' if left_out else ''
        self._report.say(f'{path.name}: 2D keypoints only{without}')

    def _process(self, item: ClipInput, outcome: Outcome) -> None:
        """Lift an input and write its results, unless an earlier run did so."""
        record = self._record_path(item)
        if record is not None and self._batch.resume:
            before = _load_record(record, self._output.out_dir)
            if before is not None:
                outcome.skipped = True
                outcome.people = before['people']
                outcome.times.num_frames = before['frames']
                self._report.say(f'{item.name}: was finished before')
                return
        self._lift(item, outcome)
        content = {
            'files': {file.name: describe_file(file)[1:] for file in outcome.files},
            'frames': outcome.times.num_frames,
            'people': outcome.people,
        }
        save_if_possible(_save_record, content, record)

    def _lift(self, item: ClipInput, outcome: Outcome) -> None:
        """Lift an input, and write its results."""
        plan = self._plan
        source = take_frames(item.open(), self._values.of(PartOptions))
        thumbnails = Thumbnails()
        video = self._values.of(VideoOptions)
        is_shown = not (video.no_video or video.blur_heads)
        observers = [thumbnails] if 'html' in self._output.formats and is_shown else []
        with stage_bars(self._report.bars, source.name) as count:
            runner = Runner(outcome.times, count)
            keypoints, footage = runner.see(plan, source, observers)
            clip = runner.lift(plan, keypoints, footage)
        if clip is None:
            missing = plan.estimate.no_person_found(outcome.times.num_frames)
            self._report.say(ArgumentError('%s: %s', item.name, missing))
            return
        outcome.write(clip, self._values, self._report, footage, thumbnails.images)

    def _record_path(self, item: ClipInput) -> Path | None:
        """Name the record of a finished input by all that its results depend on.

        There is none without a cache, or if the input is an address, which may change.
        """
        if self._batch.no_cache or not item.path.exists():
            return None
        options = options_of(*self._values.kinds)
        facts = {
            'code': digest_of_code(),
            'name': item.name,
            '2D': self._plan.models.identity,
            'lifter': self._plan.lifter.network.identity,
            'options': {
                name: str(value)
                for name, value in self._values.stated.items()
                if options[name].limits.decides
            },
            'files': [describe_file(file) for file in self._values.files],
            'steps': {
                step.name: [digest_of_part(type(step)), _settings_of(step)]
                for step in users(Step)
            },
            'formats': {
                name: digest_of_part(FORMATS[name].write)
                for name in self._output.formats
            },
        }
        return cache_path(self._output.out_dir, item.path, facts, _ENDING)


def _settings_of(step: Step) -> dict[str, str]:
    """Return the attributes of a step as text; they decide what it does."""
    return {k: repr(value) for k, value in vars(step).items() if k != 'report'}


def _save_record(record: Mapping[str, object], path: Path) -> None:
    """Write the record of a finished input as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record), encoding='utf-8')


def list_results(folder: Path) -> set[Path]:
    """List the result files in a folder that have not changed since they were written.

    Args:
        folder (Path): Folder of results, with records of finished inputs.
    """
    records = (
        _load_record(x, folder) for x in folder.glob(f'{CACHE_FOLDER}/*{_ENDING}')
    )
    return {folder / name for record in records if record for name in record['files']}


def _load_record(path: Path, folder: Path) -> dict[str, Any] | None:
    """Load the record of a finished input; return None if its results have changed."""
    try:
        record = load_object(require_own(path))
        files = record['files'].items()
        is_whole = all(describe_file(folder / x)[1:] == facts for x, facts in files)
    except (LookupError, OSError, ValueError):
        return None
    return record if is_whole else None
