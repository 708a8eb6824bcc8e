"""Export of 3D clips in all formats."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmhot.apis.options import ExportOptions, OutputOptions
from mmhot.apis.progress import Bars, no_bar
from mmhot.io.results import check_targets, name_files
from mmhot.structures.formats import WRITERS, Writer

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.structures.clips import Clip3D
    from mmhot.video.frames import FrameSource


def save_clip(
    clip: 'Clip3D',
    path: str | Path,
    video: 'str | Path | FrameSource | None' = None,
    **options: object,
) -> list[Path]:
    """Write a clip in the format of the file's suffix, as ``mmhot lift`` does.

    Args:
        clip (Clip3D): Clip; one in world axes is written as it is.
        path (str | Path): File to create or replace. Formats with one person per file
            write ``NAME_person0.bvh`` and so on if there are several people.
        video (str | Path | FrameSource, optional): Video behind the keypoints in
            ``.mp4``, ``.png`` and ``.rrd``.
        **options (object): See :class:`mmhot.apis.options.ExportOptions`, but
            ``formats``.

    Returns:
        list[Path]: The files written.

    Raises:
        ValueError: If the suffix is no format, or an option is wrong.
    """
    from mmhot.video.inputs import open_inputs

    path = Path(path)
    suffix = path.suffix.removeprefix('.')
    endings = [name for name in WRITERS if path.name.endswith(f'.{name}')]
    name = max(endings, key=len, default=suffix)
    chosen = ExportOptions.of(formats=[name], **options)
    if isinstance(video, str | Path):
        (video,) = open_inputs([str(video)])
    tracks = sorted(set(clip.track.tolist()))
    files = name_files(path, *chosen.formats, tracks).values()
    check_targets([(clip.name, files)], [] if video is None else [video.path])
    stem = path.name.removesuffix(f'.{chosen.formats[0]}')
    return _write_formats(clip, path.with_name(f'{stem}.x'), chosen, video)


def export(
    clip: 'Clip3D',
    options: OutputOptions,
    footage: 'FrameSource | None' = None,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> list[Path]:
    """Write a clip in all chosen formats into the output folder.

    Args:
        clip (Clip3D): Clip; one in world axes is written as it is.
        options (OutputOptions): Folder, formats, axes, scale.
        footage (FrameSource, optional): Video behind the keypoints.
        say (Callable): Receives the path of each file.
        bars (Bars): Opens a progress bar for each file.

    Returns:
        list[Path]: The files written.
    """
    path = options.out_dir / f'{clip.name}.x'
    return _write_formats(clip, path, options, footage, say, bars)


def _write_formats(
    clip: 'Clip3D',
    path: Path,
    options: ExportOptions,
    footage: 'FrameSource | None',
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> list[Path]:
    from mmhot.apis.processing import processors_of_files
    from mmhot.lifting.world import scale_people
    from mmhot.motion.processors import run_processors

    if footage is None and options.html_frames:
        raise ValueError('html_frames needs a video, and there is none')
    is_static = options.static_camera or clip.camera_path is not None
    steps, known = processors_of_files(options), {'static_camera': is_static}
    clip = run_processors(steps, 'files', clip, known)
    if options.height is not None:
        clip = scale_people(clip, options.height)
    # a clip in world axes is written as it is
    is_world = clip.axes == 'world' and options.axes == 'camera'
    chosen = 'world' if is_world else options.axes
    axes = {
        name: 'world' if WRITERS[name].world else chosen for name in options.formats
    }
    clips = {each: _turned(clip, each, is_static) for each in set(axes.values())}
    written = []
    for name in options.formats:
        writer, shown = WRITERS[name], clips[axes[name]]
        inputs: dict = _footage_of(writer, options, footage)
        inputs |= {each: getattr(options, each) for each in writer.options}
        target = path.with_name(f'{path.stem}.{name}')
        tracks = sorted(set(shown.track.tolist()))
        for track, file in name_files(target, name, tracks).items():
            part = shown if track is None else shown.take(shown.track == track)
            with bars(f'{clip.name}: {name}') as progress:
                if writer.progress:
                    inputs['progress'] = progress
                note = writer.load()(part, file, **inputs)
            say(f'{file} ({note})' if isinstance(note, str) else f'{file}')
            written.append(file)
    return written


def _turned(clip: 'Clip3D', axes: str, static_camera: bool) -> 'Clip3D':
    """Convert a clip to any axes; all numbers are finite."""
    from mmhot.lifting.world import to_world
    from mmhot.structures.clips import to_axes

    if axes == 'world' != clip.axes:
        clip = to_world(to_axes(clip, 'camera'), static_camera)
    elif axes != 'world':
        clip = to_axes(clip, axes)
    return clip.checked()


def _footage_of(
    writer: Writer, options: ExportOptions, footage: 'FrameSource | None'
) -> dict[str, 'FrameSource | None']:
    """Return the argument by which a writer takes the video, if it does."""
    asked = writer.footage
    if isinstance(asked, str):
        asked = getattr(options, asked)
    return {'footage': footage} if asked else {}
