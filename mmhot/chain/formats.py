"""Formats of 3D clips: the function that writes each, and its requirements."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

from mmhot.chain.user_steps import options_class
from mmhot.chain.visualization.html import write_html
from mmhot.errors import require_signature, user_code
from mmhot.io.atomic import replacing
from mmhot.io.lifted import write_json, write_npz
from mmhot.io.writers import angles, bvh, c3d, coco, csv, gait, glb, rerun, trc
from mmhot.io.writers.bvh import BvhOptions
from mmhot.io.writers.export import (
    Export,
    OriginOption,
    OutputRate,
    VideoOptions,
    Write,
)
from mmhot.options import Options, require_new_options
from mmhot.structures.clips_3d import Clip3D


@dataclass(frozen=True)
class Format:
    """A format of files, see :func:`register_writer`.

    Args:
        write (Write): Writes a file, see :class:`mmhot.io.writers.export.Write`.
        purpose (str): What the file has, and what opens it.
        world (bool): Whether the clip is always in ``'world'`` axes, where people stand
            on a floor.
        per_person (bool): Whether each person has a file.
        of_people (bool): Whether the clip must have the joints of ``h36m-17``.
        fingers (bool): Whether fingers are written; otherwise the function gets a clip
            without them.
        options (tuple[type[Options], ...]): Classes of options that act on this format,
            see :meth:`Export.of <mmhot.io.writers.export.Export.of>`. With
            :class:`OriginOption` the function gets a clip at the chosen origin.
        requires (tuple[str, str], optional): Module that must be installed, and the
            extra of mmhot that installs it.
    """

    write: Write
    purpose: str = ''
    world: bool = False
    per_person: bool = False
    of_people: bool = False
    fingers: bool = False
    options: tuple[type[Options], ...] = ()
    requires: tuple[str, str] | None = None

    def files(self, path: Path, tracks: Sequence[int]) -> dict[int | None, Path]:
        """Name the files of a clip; only several people with a file each get numbers.

        Args:
            path (Path): File for the whole clip, or for a person alone.
            tracks (Sequence[int]): Track IDs of the people.

        Returns:
            dict[int | None, Path]: Files by track ID; None stands for all people.

        >>> files = FORMATS['bvh'].files(Path('walk.bvh'), [0, 2])
        >>> [(track, file.name) for track, file in files.items()]
        [(0, 'walk_person0.bvh'), (2, 'walk_person2.bvh')]
        """
        if not self.per_person:
            return {None: path}
        if len(tracks) == 1:
            return {tracks[0]: path}
        return {track: path.with_stem(f'{path.stem}_person{track}') for track in tracks}


def _write_mp4(clip: Clip3D, file: Path, export: Export) -> None:
    from mmhot.chain.visualization.video import render_video  # imports OpenCV and PyAV

    render_video(clip, file, export)


_of_people = partial(Format, world=True, of_people=True)
_per_person = partial(Format, world=True, per_person=True)
FORMATS = {
    'npz': Format(write_npz, 'all results as arrays, for NumPy', fingers=True),
    'json': Format(write_json, 'all results as text, for any program', fingers=True),
    'csv': Format(
        csv.write_csv, 'a row for each joint, for spreadsheets', fingers=True
    ),
    'angles.csv': _of_people(
        angles.write_csv, 'joint angles in degrees, for spreadsheets'
    ),
    'coco.json': Format(coco.write_coco, '2D keypoints, to correct them in CVAT'),
    'gait.csv': _of_people(gait.write_csv, 'steps and strides, for spreadsheets'),
    'cycles.csv': _of_people(
        gait.write_cycles, 'mean gait cycles of joint angles, for spreadsheets'
    ),
    'bvh': _of_people(
        bvh.write_person,
        'rotations of bones, for Blender, Maya, MotionBuilder',
        per_person=True,
        fingers=True,
        options=(BvhOptions, OriginOption, OutputRate),
    ),
    'trc': _per_person(
        trc.write_person, 'joints as markers, for OpenSim', options=(OutputRate,)
    ),
    'c3d': _per_person(
        c3d.write_person,
        'joints as points, for Mokka, Visual3D, MATLAB',
        requires=('ezc3d', 'c3d'),
    ),
    'mot': _of_people(
        angles.write_mot,
        'joint angles, for OpenSim',
        per_person=True,
        options=(OriginOption, OutputRate),
    ),
    'glb': _of_people(
        glb.write_glb,
        'moving mannequins, for Blender, Unity, Unreal',
        fingers=True,
        options=(OriginOption, OutputRate),
    ),
    'html': Format(
        write_html,
        'a page with a 3D viewer, for any browser',
        world=True,
        options=(VideoOptions,),
    ),
    'mp4': Format(
        _write_mp4,
        'a video with the skeletons, for any player',
        world=True,
        options=(VideoOptions,),
    ),
    'rrd': Format(
        rerun.write_recording,
        'a recording, for Rerun',
        options=(VideoOptions,),
        requires=('rerun', 'rerun'),
    ),
}
"""Formats by name, which is also the suffix of the files."""
OTHER_FORMATS = {
    'fbx': ': write glb, which Blender converts (docs/animation.md)',
    'usd': ': write glb, which Blender converts (docs/animation.md)',
    'vrm': ': write bvh, which moves characters in this format',
    'png': ': write html, whose viewer saves what it shows as PNG',
}
"""Formats that are not written, and a hint for each."""


def writer_options() -> list[type[Options]]:
    """List the classes of options of all formats, each once."""
    return [*dict.fromkeys(kind for form in FORMATS.values() for kind in form.options)]


def register_writer(name: str, function: Write, **needs: Any) -> None:
    """Add an export format.

    Args:
        name (str): Format and suffix, such as ``'bvh'``.
        function (Write): Writes a file. It is called with a :class:`mmhot.Clip3D`, the
            path of a temporary file, which gets its name when the function succeeds,
            and an :class:`mmhot.io.writers.export.Export`. It may return a note for the
            user.
        **needs (Any): Other arguments of :class:`Format`, such as ``world=True``.

    Raises:
        ValueError: If the name is taken or not a suffix, the function cannot be called
            like this, or the name of an option is taken.

    Example::

        import numpy as np

        def write_heads(clip, file, export):
            np.savetxt(file, clip.places()[:, clip.joint_names.index('head')])

        mmhot.register_writer('heads', write_heads, world=True)
    """
    if not all(map(str.isalnum, name.split('.'))) or name in FORMATS:
        raise ValueError(
            f'name must be a new suffix of letters and digits, got {name!r}'
        )
    with user_code(f'the format {name!r}'):
        require_signature(function, 'clip', 'path', 'export')
        options = tuple(map(options_class, needs.pop('options', ())))
        for kind in options:
            require_new_options(kind, writer_options())

    @wraps(function)
    def write(clip: Clip3D, file: Path, export: Export) -> str | None:
        with user_code(f'the format {name!r}'), replacing(file) as temporary:
            note = function(clip, temporary, export)
            if not temporary.stat().st_size:
                raise ValueError('wrote an empty file')
        return note

    FORMATS[name] = Format(write, **needs, options=options)
