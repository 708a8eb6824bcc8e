"""Processors: steps that improve clips, their table, and how to add one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

Step = TypeVar('Step')

STAGES = {
    # Clip2D of a video, with all keypoints that were detected
    'tracks': ('appearance', 'cuts'),
    # Clip2D, before it is lifted
    'keypoints': ('camera_path', 'lens', 'mapping'),
    # Clip3D in camera axes, after it is lifted
    'poses': ('camera_path', 'lens', 'mapping', 'keypoints', 'evidence'),
}
"""When processors run, and what they may need beside the clip.

``appearance`` are the descriptions of :mod:`mmhot.tracking.appearance`; ``cuts`` the
frames with which another shot begins; ``camera_path`` rotation vectors and zooms,
(F, 4); ``lens`` that of the video, None if unknown; ``mapping`` how missing joints are
approximated; ``keypoints`` the Clip2D that was lifted; ``evidence`` the
:class:`mmhot.lifting.lifter.Evidence`.
"""
PROCESSORS = {
    'returning': 'people who leave and return keep their track ID',
    'sides': 'left and right are exchanged where the 2D model confused them',
    'camera': 'turns and zooms of a camera on a tripod are undone',
    'errors': 'the expected error of each joint is estimated',
    'smoothing': 'poses are filtered over time',
    'joints': 'toes, heels, hands and nose are added',
    'feet': 'standing feet stay in place',
}
"""The processors of mmhot by name, in their order, and what they do."""

_REGISTERED: dict[str, 'Processor'] = {}


class Processor(Protocol):
    """A step from clip to clip: ``Clip2D -> Clip2D`` or ``Clip3D -> Clip3D``.

    Settings are arguments of its constructor. Where something it needs is not known,
    as the appearance of people in a file of keypoints, it does not run.

    Attributes:
        name (str): Name in ``--without``.
        stage (str): When it runs, one of :data:`STAGES`.
        needs (tuple[str, ...]): Keyword arguments of its call, of those of its stage.
    """

    name: str
    stage: str
    needs: tuple[str, ...]

    def __call__(self, clip: Any, **known: Any) -> Any:
        """Return a new clip."""


def register_processor(step: Step) -> Step:
    """Add a processor, which runs after those of mmhot in its stage.

    Args:
        step (type | Processor): A :class:`Processor`, or a class of one without
            arguments.

    Returns:
        type | Processor: The same, so that it can be used as a decorator.

    Raises:
        ValueError: If the name is taken, or an attribute is missing or unknown.

    Example::

        @mmhot.register_processor
        class Inches:
            name, stage, needs = 'inches', 'poses', ()

            def __call__(self, clip):
                return replace(clip, keypoints_3d=clip.keypoints_3d / 0.0254)
    """
    processor = step() if isinstance(step, type) else step
    missing = {'name', 'stage', 'needs'} - set(dir(processor))
    if missing:
        raise ValueError(f'a processor needs {", ".join(sorted(missing))}: got {step}')
    if processor.name in list_processors():
        raise ValueError(f'there is a processor {processor.name!r} already')
    given = [('stage', processor.stage, STAGES)]
    known = STAGES.get(processor.stage, ())
    given += [('needs', name, known) for name in processor.needs]
    for what, name, known in given:
        if name not in known:
            raise ValueError(f'{what} must be among {",".join(known)}; got {name!r}')
    _REGISTERED[processor.name] = processor
    return step


def list_processors() -> list[str]:
    """List the names of all processors."""
    return [*PROCESSORS, *_REGISTERED]


def registered_processors() -> list[Processor]:
    """List the processors of users, in the order of their registration."""
    return [*_REGISTERED.values()]


def run_processors(
    processors: Iterable[Processor], stage: str, clip: Any, known: Mapping[str, Any]
) -> Any:
    """Run the processors of a stage whose needs are ``known``, see :data:`STAGES`.

    The clip's ``steps`` get the names of those that returned another clip.
    """
    for step in processors:
        if step.stage == stage and all(name in known for name in step.needs):
            new = step(clip, **{name: known[name] for name in step.needs})
            if new is not clip:
                names = dict.fromkeys((*clip.steps, step.name))
                clip = replace(new, steps=tuple(names))
    return clip
