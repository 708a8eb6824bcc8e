"""Processing of many inputs with models that are loaded once, and its resumption."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from mmhot.chain.build import build_chain
from mmhot.chain.chain import Chain
from mmhot.chain.core_steps import Lift
from mmhot.chain.frame_steps import EstimatePoses
from mmhot.chain.options import InferRunOptions
from mmhot.chain.outcome import Outcome, noting_errors
from mmhot.chain.progress import Bars, no_bar, stage_bars
from mmhot.chain.write import export
from mmhot.frames.inputs import ClipInput
from mmhot.frames.part import take_part
from mmhot.frames.sources import FrameSource
from mmhot.io.arrays import load_object
from mmhot.io.atomic import replacing
from mmhot.io.lifted import write_keypoints
from mmhot.lifting.clip_encoder import NotLiftableError
from mmhot.motion.camera_path import describe_path
from mmhot.pose2d.cache import (
    cache_path,
    describe_file,
    require_own,
    save_if_possible,
)
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.version import digest_of_code

_LOGGER = logging.getLogger(__name__)
# Options that a line for the user names.
_FLAGS = {'det_model': '--det-model', 'pose2d': '--pose2d'}


@dataclass
class ClipWorker:
    """Lifts inputs and writes the results."""

    options: InferRunOptions
    say: Callable[[str], None]  # receives lines for the user
    bars: Bars = no_bar  # opens progress bars; none by default

    @cached_property
    def _chain(self) -> Chain:
        cache = None if self.options.no_cache else self.options.out_dir
        chain = build_chain(self.options, cache, self.say, self.bars)
        self.say(f'lifter: {chain.require(Lift).lifter.name}')
        return chain

    def prepare(self, with_2d: bool) -> Chain:
        """Load the models that are not loaded yet, 2D models only ``with_2d``."""
        if with_2d:
            self._chain.require(EstimatePoses).models  # noqa: B018, opened at first use
        return self._chain

    def __call__(self, item: ClipInput) -> Outcome:
        """Process an input; errors are returned in the outcome."""
        outcome = Outcome(item.name)
        with noting_errors(outcome):
            try:
                chain = self.prepare(not item.has_keypoints)
                self._process(chain, item, outcome)
            except NotLiftableError as error:
                self._write_keypoints(error, outcome)
        return outcome

    def _write_keypoints(self, error: NotLiftableError, outcome: Outcome) -> None:
        outcome.people = len(error.clip.tracks)
        path = self.options.out_dir / f'{error.clip.name}.npz'
        write_keypoints(error.clip, path)
        _LOGGER.warning('%s', error)
        left_out = [name for name in self.options.formats if name != 'npz']
        without = f', no .{", .".join(left_out)}' if left_out else ''
        self.say(f'{path} (2D keypoints only{without})')

    def _process(self, chain: Chain, item: ClipInput, outcome: Outcome) -> None:
        options, times = self.options, outcome.times
        kept = self._record_path(chain, item)
        before = kept and options.resume and _load_record(kept, options.out_dir)
        if before:
            outcome.skipped = True
            outcome.people, times.num_frames = before['people'], before['frames']
            self.say(f'{item.name}: was finished before')
            return
        source = take_part(item.open(), options)
        is_covered = options.no_video or options.blur_heads
        is_shown = 'html' in options.formats and not is_covered
        if isinstance(source, FrameSource) and is_shown:
            from mmhot.visualization.html import Thumbnails  # slow import

            source.watch = Thumbnails()
        with stage_bars(self.bars, source.name) as show:
            lifted = chain(source, show, times)
        if lifted is None:
            missing = options.no_person_found(times.num_frames).named(_FLAGS)
            self.say(f'{item.name}: {missing}')
        else:
            outcome.people = len(lifted.track_ids)
            with times.measure('write'):
                footage = None if isinstance(source, Clip2D) else source
                written = outcome.files  # also those before an error
                export(lifted, options, footage, self.say, self.bars, written=written)
            self.say(f'{item.name}: {_describe_focal(lifted)}')
            if options.camera == 'auto' and lifted.camera_path is not None:
                self.say(f'{item.name}: {describe_path(lifted.camera_path)}')
        files = {file.name: describe_file(file)[1:] for file in outcome.files}
        counts = {'frames': times.num_frames, 'people': outcome.people}
        save_if_possible(_save_record, {'files': files, **counts}, kept)

    def _record_path(self, chain: Chain, item: ClipInput) -> Path | None:
        """Name the record of a finished input by all that its results depend on."""
        options = self.options
        if options.no_cache or not item.path.exists():
            return None  # the content of an address may change
        values = {
            each.name: str(getattr(options, each.name))
            for each in fields(options)
            if each.metadata['argument'].decides
        }
        with_2d = not item.has_keypoints
        facts = {
            'code': digest_of_code(),
            'name': item.name,
            '2D': chain.require(EstimatePoses).models.identity if with_2d else None,
            'lifter': chain.require(Lift).lifter.network.identity,
            'options': values,
        }
        return cache_path(options.out_dir, item.path, facts, '.finished.json')


def _describe_focal(clip: Clip3D) -> str:
    """Name the focal length of a clip and where it is from."""
    share = clip.focal_length / max(clip.width, clip.height)
    text = f'focal length {clip.focal_length:.0f} px, {share:.2f} of the longer side'
    if clip.focal_assumed:
        return f'{text}, assumed: distances scale with it; --fov or --intrinsics set it'
    return text


def _save_record(record: dict[str, Any], path: Path) -> None:
    with replacing(path) as temporary:
        named = {'name': path.name, **record}
        temporary.write_text(json.dumps(named), encoding='utf-8')


def _load_record(path: Path, folder: Path) -> dict[str, Any] | None:
    """Load the record of a finished input; None unless its results are whole."""
    try:
        record = load_object(require_own(path))
        is_whole = record['name'] == path.name and all(
            isinstance(record[name], int) for name in ('frames', 'people')
        )
        for name, sizes_and_dates in record['files'].items():
            is_whole &= Path(name).name == name
            is_whole &= describe_file(folder / Path(name).name)[1:] == sizes_and_dates
    except (AttributeError, LookupError, OSError, TypeError, ValueError):
        return None
    return record if is_whole else None
