"""Outcome of one input: the files that were written, or the error."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmhot.chain.formats import FORMATS
from mmhot.chain.keypoints.camera_path import describe_path
from mmhot.chain.options import OutputOptions
from mmhot.chain.pose2d.footage import Footage
from mmhot.chain.run import StageTimes
from mmhot.chain.write import export
from mmhot.errors import (
    TRACEBACK,
    ArgumentError,
    align,
    explain,
    is_debugging,
    one_line,
)
from mmhot.options import Values
from mmhot.progress import Line, Report
from mmhot.structures.clips_3d import Clip3D

_LOGGER = logging.getLogger(__name__)
_MOST_PEOPLE = 3  # rows of the table of people; longer tables are notes


@dataclass
class Outcome:
    """Result of processing one input."""

    name: str  # name of the clip
    times: StageTimes = field(default_factory=StageTimes)  # stages that were reached
    people: int = 0  # number of lifted people
    error: ArgumentError | str = ''  # reason of a failure; empty on success
    skipped: bool = False  # whether an earlier run had finished the input
    files: list[Path] = field(default_factory=list)  # files that were written

    def write(
        self,
        clip: Clip3D,
        values: Values,
        report: Report = Report(),
        footage: Footage | None = None,
        thumbnails: Mapping[int, bytes] = {},
    ) -> None:
        """Describe people and camera, and write poses in all chosen formats.

        Args:
            clip (Clip3D): The poses.
            values (Values): Options of formats, steps and videos.
            report (Report): Receives lines and progress.
            footage (Footage, optional): Video to show behind the keypoints.
            thumbnails (Mapping[int, bytes]): Small images of it by frame, for
                ``.html``.
        """
        self.people = len(clip.track_ids)
        text = '%s: %d people, ID %d to %d; {people} chooses them, -v lists them'
        ends = min(clip.track_ids, default=0), max(clip.track_ids, default=0)
        short = ArgumentError(text, clip.name, self.people, *ends)
        _say(report, describe_people(clip), _MOST_PEOPLE, short)
        if clip.model and len(clip):
            report.say(describe_camera(clip))
        stem = values.of(OutputOptions).out_dir / clip.name
        notes = defaultdict(list)  # by the suffix of files
        with self.times.measure('write'):
            for file, note in export(clip, values, stem, report, footage, thumbnails):
                self.files.append(file)
                if note:
                    notes[file.suffix].append(f'{file.name}: {note}')
        for lines in notes.values():
            more = f'{lines[0]}; -v prints the notes of all {len(lines)} people'
            _say(report, lines, 1, more)


@contextmanager
def processing(outcome: Outcome, options: OutputOptions, report: Report) -> Iterator:
    """Catch the error of a block in an outcome, so that other inputs are processed.

    If the block succeeds, results of an earlier run in the chosen formats are removed
    unless it wrote them again, as for people who are no longer found.

    Args:
        outcome (Outcome): Receives the error; has the files that the block wrote.
        options (OutputOptions): Folder and formats of the results.
        report (Report): Receives a line on removed files.
    """
    try:
        yield
    except Exception as error:
        if is_debugging():
            raise
        outcome.error = describe_error(error)
    if not (outcome.error or outcome.skipped):
        removed = [x for x in _results(outcome.name, options) if x not in outcome.files]
        for file in removed:
            file.unlink()
        if removed:
            names = ', '.join(file.name for file in removed)
            report.say(f'{outcome.name}: {names} of an earlier run removed')


def describe_error(error: Exception) -> ArgumentError | str:
    """Describe an error in one line; bugs of mmhot begin with their type."""
    if isinstance(error, ArgumentError):
        return error  # the command line names its flags
    reason = one_line(error) or 'without a text'
    bug = f'{type(error).__name__}: {reason} ({TRACEBACK})'
    return explain(error) or bug


def _results(name: str, options: OutputOptions) -> list[Path]:
    """List the result files of a clip in the chosen formats that exist."""
    found: list[Path] = []
    for form in options.formats:
        person = r'(_person\d+)?' if FORMATS[form].per_person else ''
        pattern = re.compile(re.escape(name) + person + re.escape(f'.{form}'))
        found += [x for x in options.out_dir.iterdir() if pattern.fullmatch(x.name)]
    return sorted(file for file in found if file.is_file())


def _say(report: Report, lines: Sequence[Line], most: int, short: Line) -> None:
    """Say lines, or a short one if there are more than ``most``, which become notes."""
    if len(lines) > most:
        for line in lines:
            _LOGGER.info(line)
        lines = [short]
    for line in lines:
        report.say(line)


def describe_people(clip: Clip3D) -> list[Line]:
    """Tabulate several people, one per line.

    Returns:
        list[Line]: A line for each person; empty for one person.
    """
    tracks = clip.track_ids
    if len(tracks) < 2:
        return []
    rows = []
    total = len(np.unique(clip.frame))
    for track in tracks:
        frames = clip.frame[clip.track == track]
        start, end = (f'{x:.1f}' for x in clip.seconds(frames)[[0, -1]])
        share = f'{len(frames)} frames', f'{len(frames) / total:.0%}'
        size = ''
        if track in clip.heights:
            meters, error, source = clip.heights[track]
            size = f'{meters:.2f} m tall, error {error:.2f} m, {source}'
        rows.append((f'person {track}', f'{start} to {end} s', *share, size))
    first, *lines = align(rows, left=0).split('\n')
    sizes = ', {height} in meters' if clip.heights else ''
    hint = f'%s  (%s: {{people}} ID or largest{sizes})'
    return [ArgumentError(hint, first, clip.name), *lines]


def describe_camera(clip: Clip3D) -> ArgumentError:
    """Describe images and camera of a clip, and how to set an assumed focal length.

    Returns:
        ArgumentError: Text with the names of options.
    """
    camera = clip.camera
    motion = '' if camera is None else f', {describe_path(camera.path)}'
    rate = f', {clip.fps:.4g} frames/s' if np.ptp(clip.frame) else ''  # no photo
    hint = ' assumed: distances scale with it; {fov} or {intrinsics} set it'
    return ArgumentError(
        '%s: %d x %d pixels%s, focal length %.0f px (%.2f of the longer '
        f'side){hint if clip.lens is None else ""}',
        clip.name,
        clip.width,
        clip.height,
        rate + motion,
        clip.focal_length,
        clip.focal_length / max(clip.width, clip.height),
    )
