"""Export formats: which function writes each of them, and what it needs.

Functions above this package are named by text, and imported when they are called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

SAVE = 'mmhot.chain.write:save_clip'
"""Function that prepares a clip for any format, and calls its writer."""
ANGLES = 'mmhot.chain.write:angles_of'
"""Function that returns the joint angles of a clip in any axes."""
BONES = 'mmhot.chain.write:bones_of'
"""Function that returns the bones of a person of a clip in any axes."""
EMBED = 'mmhot.visualization.html:embed_clip'
"""Function that shows a clip in notebooks."""


@dataclass(frozen=True)
class Writer:
    """Function that writes clips in one format.

    Args:
        function (Callable | str): Takes a :class:`mmhot.Clip3D` and the path of
            the file, and returns a note for the user or None. As ``'module:name'`` it
            is imported on first use.
        purpose (str): What the file has, and what opens it.
        world (bool): Whether people stand on a floor, in ``'world'`` axes, whatever
            axes the user chose.
        per_person (bool): Whether each person gets a file.
        of_people (bool): Whether the joints must be Human3.6M's, or 24.
        fingers (bool): Whether joints beyond the 24 are written; else the function gets
            a clip without these.
        footage (bool): Whether the function takes ``footage``, the video (FrameSource)
            or None.
        thumbnails (bool): Whether it takes ``thumbnails``, small images of the video
            (:class:`mmhot.visualization.html.Thumbnails`), or None.
        progress (bool): Whether it takes ``progress``, a function of (done, total).
        options (tuple[str, ...]): Options of export that the function takes; as
            ``origin`` it gets the point (3,) that became the clip's origin.
        requires (tuple[str, str], optional): Module that must be installed, and the
            extra of mmhot that installs it.
    """

    function: Callable[..., str | None] | str
    purpose: str = ''
    world: bool = False
    per_person: bool = False
    of_people: bool = False
    fingers: bool = False
    footage: bool = False
    thumbnails: bool = False
    progress: bool = False
    options: tuple[str, ...] = ()
    requires: tuple[str, str] | None = None

    def load(self) -> Callable[..., str | None]:
        """Import the function."""
        function = self.function
        return load_function(function) if isinstance(function, str) else function


def load_function(text: str) -> Callable[..., Any]:
    """Import a function by ``'module:name'``."""
    module, name = text.split(':')
    return getattr(import_module(module), name)


LEFT_HANDED = '-left'
"""Suffix of axes that are left-handed, as those of Unity and of MMPose's 3D demo."""
GIVEN_AXES = ('camera', 'z-up', 'y-up', 'world', 'z-up-left', 'y-up-left')
"""Axes of poses of other tools, see :meth:`mmhot.Clip3D.from_arrays`."""
BVH_PROFILE_NAMES = ('default', 'lafan1', 'mixamo')
"""Rigs of ``.bvh`` files, see :mod:`mmhot.io.writers.rigs`, which imports NumPy."""
_of_people = partial(Writer, world=True, of_people=True)
_per_person = partial(Writer, world=True, per_person=True)
_shown = partial(Writer, world=True, footage=True)
WRITERS: dict[str, Writer] = {
    'npz': Writer(
        'mmhot.io.lifted:write_npz', 'all results as arrays, for NumPy', fingers=True
    ),
    'json': Writer(
        'mmhot.io.lifted:write_json',
        'all results as text, for any program',
        fingers=True,
    ),
    'csv': Writer(
        'mmhot.io.writers.csv:write_csv',
        'a row for each joint, for spreadsheets',
        fingers=True,
    ),
    'angles.csv': _of_people(
        'mmhot.io.writers.angles:write_csv', 'joint angles in degrees, for spreadsheets'
    ),
    'coco.json': Writer(
        'mmhot.io.writers.coco:write_coco', '2D keypoints, to correct them in CVAT'
    ),
    'gait.csv': _of_people(
        'mmhot.io.writers.gait:write_csv', 'steps and strides, for spreadsheets'
    ),
    'bvh': _of_people(
        'mmhot.io.writers.bvh:write_person',
        'rotations of bones, for Blender, Maya, MotionBuilder',
        per_person=True,
        fingers=True,
        options=('bvh_profile', 'origin', 'out_fps'),
    ),
    'trc': _per_person(
        'mmhot.io.writers.trc:write_person',
        'joints as markers, for OpenSim',
        options=('out_fps',),
    ),
    'c3d': _per_person(
        'mmhot.io.writers.c3d:write_person',
        'joints as points, for Mokka, Visual3D, MATLAB',
        requires=('ezc3d', 'c3d'),
    ),
    'mot': _of_people(
        'mmhot.io.writers.angles:write_mot',
        'joint angles, for OpenSim',
        per_person=True,
        options=('origin', 'out_fps'),
    ),
    'glb': _of_people(
        'mmhot.io.writers.glb:write_glb',
        'moving mannequins, for Blender, Unity, Unreal',
        fingers=True,
        options=('origin', 'out_fps'),
    ),
    'html': _shown(
        'mmhot.visualization.html:write_html',
        'a page with a 3D viewer, for any browser',
        thumbnails=True,
        progress=True,
    ),
    'mp4': _shown(
        'mmhot.visualization.video:render_video',
        'a video with the skeletons, for any player',
        progress=True,
        options=('draw',),
    ),
    'png': _shown(
        'mmhot.visualization.summary_image:render_summary_image',
        'frames side by side, as one image',
    ),
    'rrd': Writer(
        'mmhot.io.writers.rerun:write_recording',
        'a recording, for Rerun',
        footage=True,
        progress=True,
        requires=('rerun', 'rerun'),
    ),
}
"""Writers by format, which is also the suffix of the files."""
OTHER_FORMATS = {
    'fbx': ': write glb, which Blender converts (docs/animation.md)',
    'usd': ': write glb, which Blender converts (docs/animation.md)',
    'vrm': ', a format of characters: write bvh, which moves them',
}
"""Hints at what others ask for."""


def register_writer(
    name: str, function: Callable[..., str | None] | str, **needs: Any
) -> None:
    """Add an export format.

    Args:
        name (str): Format and suffix, such as ``'bvh'``.
        function (Callable | str): See :class:`Writer`.
        **needs (Any): Other arguments of :class:`Writer`.

    Raises:
        ValueError: If the name is taken or no suffix.

    Example::

        def write_heads(clip, path):
            np.savetxt(path, clip.places()[:, clip.joint_names.index('head')])

        mmhot.register_writer('heads', write_heads, world=True)
    """
    if not name.isalnum() or name in WRITERS:
        raise ValueError(f'name must be a new suffix of letters, got {name!r}')
    WRITERS[name] = Writer(function, **needs)
