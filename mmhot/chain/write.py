"""Export of 3D clips in all formats."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from mmhot.chain.calls import SAVE
from mmhot.chain.formats import FORMATS, Format
from mmhot.chain.frames.sources import FrameArrays, FrameSource
from mmhot.chain.lifting.world import scale_people, turn
from mmhot.chain.options import ExportOptions
from mmhot.chain.pose2d.footage import Footage
from mmhot.errors import NothingToWriteError, require_choice
from mmhot.io.results import check_targets
from mmhot.io.writers.angles import clip_angles
from mmhot.io.writers.export import Export, OriginOption, VideoOptions
from mmhot.io.writers.rigid_skeleton import fit_rig, place_bones
from mmhot.io.writers.rigs import BVH_PROFILES
from mmhot.options import Values, options_of
from mmhot.progress import Line, Report
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D, read_only

_H36M = get_skeleton('h36m-17')
_ALL = get_skeleton('h36m-24')


def save_clip(
    clip: Clip3D,
    path: str | Path,
    video: str | Path | Iterable[np.ndarray] | None = None,
    **options: object,
) -> list[Path]:
    """Write a clip in the format that the file's name ends with.

    Args:
        clip (Clip3D): The poses.
        path (str | Path): Path of the file, such as ``walk.bvh``.
        video (str | Path | Iterable, optional): Video to show behind the keypoints, or
            its frames, BGR uint8 (H, W, 3).
        **options (object): See :meth:`mmhot.Clip3D.save`.

    Returns:
        list[Path]: The files that were written; several if each person has one.

    Raises:
        ValueError: If the format or an option is wrong, or the clip has nothing to
            write in the format.
    """
    path = Path(path)
    endings = [name for name in FORMATS if path.name.endswith(f'.{name}')]
    name = max(endings, key=len, default=path.suffix[1:])
    if not name:
        raise ValueError(f'{path}: end the name with a format, such as .npz or .bvh')
    values = Values({'formats': [name], **options}, SAVE.kinds)
    frames = _open_video(video, clip.fps)
    files = FORMATS[name].files(path, clip.track_ids).values()
    check_targets([(clip.name, files)], [] if frames is None else [frames.path])
    stem = path.with_name(path.name.removesuffix(f'.{name}'))
    footage = None if frames is None else Footage(frames)
    said: list[Line] = []
    written = [
        file for file, _ in export(clip, values, stem, Report(said.append), footage)
    ]
    if not written:
        raise ValueError(said[-1])
    return written


def _open_video(
    video: str | Path | Iterable[np.ndarray] | None, fps: float
) -> FrameSource | None:
    """Open a video, or images (H, W, 3) at the rate of the clip."""
    if isinstance(video, str | Path):
        from mmhot.chain.frames.inputs import open_clip

        return open_clip(str(video))
    return None if video is None else FrameArrays(video, fps)


def result_files(
    folder: Path, name: str, formats: Sequence[str], tracks: Sequence[int] = ()
) -> list[Path]:
    """List the files that may be written for a clip, to check them against inputs.

    Args:
        folder (Path): Folder of the results.
        name (str): Name of the clip.
        formats (Sequence[str]): Names of formats.
        tracks (Sequence[int]): Track IDs of the people if they are known, for formats
            with a file for each person.

    Returns:
        list[Path]: The paths.
    """
    paths = {form: folder / f'{name}.{form}' for form in formats}
    named = (FORMATS[form].files(path, tracks) for form, path in paths.items())
    return [*paths.values(), *(file for files in named for file in files.values())]


def angles_of(clip: Clip3D) -> dict[str, np.ndarray]:
    """Return joint angles of all N poses by name, degrees, (N,).

    See :meth:`mmhot.Clip3D.angles`.
    """
    _require_person(clip, 'angles')
    return clip_angles(_prepare(clip, ExportOptions(), 'world'))


def bones_of(
    clip: Clip3D, profile: str, track: int | None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return positions and rotations of a person's bones in world axes.

    See :meth:`mmhot.Clip3D.bones`.

    Args:
        clip (Clip3D): The poses.
        profile (str): Names and rest axes of the bones.
        track (int | None): Track ID; None if there is one person.

    Returns:
        dict[str, tuple[np.ndarray, np.ndarray]]: Positions (T, 3), meters, and
        quaternions w, x, y, z (T, 4) by name.

    Raises:
        ValueError: If no profile or person has this name, or the clip lacks
            Human3.6M's joints.
    """
    require_choice('profile', profile, tuple(BVH_PROFILES))
    if track is None and len(clip.track_ids) != 1:
        raise ValueError(
            f'track must be one of the track IDs {clip.track_ids}, got {track}'
        )
    _require_person(clip, 'bones')
    if track is not None:
        clip = clip.take(clip.track == clip.person(track).track)
    clip = _prepare(clip, ExportOptions(), 'world')
    rig = BVH_PROFILES[profile].with_fingers(clip.joint_names)
    return place_bones(fit_rig(clip.places(), rig, clip.joint_names), rig)


def export(
    clip: Clip3D,
    values: Values,
    stem: Path,
    report: Report = Report(),
    footage: Footage | None = None,
    thumbnails: Mapping[int, bytes] = {},
) -> Iterator[tuple[Path, str | None]]:
    """Write poses in all chosen formats.

    Poses in world axes stay in world axes. The first error of a format is raised after
    the other formats are written.

    Args:
        clip (Clip3D): The poses.
        values (Values): Options of formats, steps and videos.
        stem (Path): Path of the files without their format.
        report (Report): Receives progress, and why formats are left out.
        footage (Footage, optional): Video to show behind the keypoints.
        thumbnails (Mapping[int, bytes]): Small images of it by frame, for ``.html``.

    Yields:
        tuple[Path, str | None]: Each file that was written, and a note on it.

    Raises:
        ValueError: If the clip has no poses, or does not suit a format.
    """
    if not len(clip):
        raise ValueError(f'{clip.name} has no poses: nothing is written')
    shown = _shown_video(clip, footage, values.of(VideoOptions))
    common = Export(shown, thumbnails, values=values)
    errors: list[Exception] = []
    for name, file, part, origin in _plan(clip, values, stem, report.say):
        try:
            with report.bars(f'{clip.name}: {name}') as count:
                about = replace(common, origin=origin, progress=count)
                note = FORMATS[name].write(part, file, about)
        except NothingToWriteError as error:
            report.say(f'{clip.name}: {error}')
        except Exception as error:  # the other formats are still written
            errors.append(error)
        else:
            yield file, note
    if errors:
        raise errors[0]


def _plan(
    clip: Clip3D, values: Values, stem: Path, say: Callable[[str], None]
) -> Iterator[tuple[str, Path, Clip3D, np.ndarray]]:
    """Plan the files of a clip: one for each format, or for each person of a format.

    Yields:
        tuple: Format, file, the clip as it appears there, and the origin of its axes,
        meters, (3,).
    """
    options = values.of(ExportOptions)
    starts_at_person = values.of(OriginOption).origin == 'person'
    prepared = cache(partial(_prepare, clip, options))
    for name, form in _formats_for(clip, options, say).items():
        is_world = form.world or clip.axes == 'world'
        whole = prepared('world' if is_world else options.axes)
        if not form.fingers and _has_fingers(whole):
            whole = whole.first_joints(_ALL.num_keypoints)
        origin = np.zeros(3)
        if starts_at_person and OriginOption in form.options:
            feet = [whole.joint_names.index(x) for x in ('left_foot', 'right_foot')]
            origin[:2] = whole.places()[0, feet, :2].mean(0)
            whole = replace(whole, root_3d=whole.root_3d - np.float32(origin))
        target = stem.with_name(f'{stem.name}.{name}')
        for track, file in form.files(target, whole.track_ids).items():
            part = whole if track is None else whole.take(whole.track == track)
            yield name, file, part, origin


def _shown_video(
    clip: Clip3D, footage: Footage | None, options: VideoOptions
) -> FrameSource | None:
    """Return the video to show, if any, with covered heads if the user wants that."""
    if footage is None:
        options.refuse(options_of(VideoOptions), 'needs a video, and there is none')
        return None
    if options.no_video:
        return None
    if options.blur_heads:
        from mmhot.chain.visualization.heads import CoveredHeads

        return CoveredHeads(clip, footage)
    return footage.frames


def _is_person(clip: Clip3D) -> bool:
    return clip.joint_names[: len(_H36M.joints)] == _H36M.joints


def _require_person(clip: Clip3D, *names: str) -> None:
    """Raise ValueError if any ``names`` are given and the clip is not of people.

    They are names of formats or options that need Human3.6M's joints.
    """
    if names and not _is_person(clip):
        raise ValueError(
            f'{", ".join(names)}: {clip.name} must have the joints of {_H36M.name}, '
            f'got {", ".join(clip.joint_names[:3])}, ...'
        )


def _has_fingers(clip: Clip3D) -> bool:
    return _is_person(clip) and len(clip.joint_names) > _ALL.num_keypoints


def _formats_for(
    clip: Clip3D, options: ExportOptions, say: Callable[[str], None]
) -> dict[str, Format]:
    """Return the chosen formats; raise if they do not suit the clip."""
    forms = {name: FORMATS[name] for name in options.formats}
    lacking = [name for name, form in forms.items() if not form.fingers]
    if _has_fingers(clip) and lacking:
        say(f'{clip.name}: fingers are not written to .{", .".join(lacking)}')
    if _is_person(clip):
        return forms
    names = [name for name, form in forms.items() if form.of_people]
    _require_person(clip, *names, *(() if options.height is None else ('height',)))
    if forms.pop('html', None):  # one of the default formats
        say(f'{clip.name}: .html is not written: its viewer shows only people')
    return forms


def _prepare(clip: Clip3D, options: ExportOptions, axes: str) -> Clip3D:
    """Return the clip at the chosen height, in some axes."""
    is_static = clip.camera is not None and _is_person(clip)
    if options.height is not None:
        clip = scale_people(clip, options.height)
    return read_only(turn(clip, axes, is_static))
