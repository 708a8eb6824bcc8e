"""Steps of the chain: what they are, their names, and how to add one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, NamedTuple, Protocol, TypeVar

Registered = TypeVar('Registered')
Given = dict[str, Any]


class Entry(NamedTuple):
    """A step of mmhot, which is imported when a chain is built."""

    name: str
    # its class, as ``'module:name'``. Arguments of its constructor have names of
    # options, or of what else `mmhot.chain.build.build_chain` knows, and get
    # these values
    kind: str
    # 'lift' if it is for keypoints and lifted poses, 'refine' for 3D poses of other
    # tools, or 'both'
    of: str = 'lift'
    # returns whether it is part of a chain, by the same values
    wanted: Callable[[Given], bool] = lambda given: True
    optional: bool = True  # whether it can be left out by name


def _of_people(given: Given) -> bool:
    return given['lifter'] is None or given['lifter'].is_person


def _expects(given: Given) -> bool:
    return given['coefficients'] is not None


def _smooths(given: Given) -> bool:
    return given['smooth_3d'] != 'none'


def _extends(given: Given) -> bool:
    return given['joints'] == 24


BUILT_IN = {
    'Clip2D': (
        Entry('returning', 'mmhot.motion.returning:MergeReturning', 'lift', _of_people),
        Entry('people', 'mmhot.motion.people:ChoosePeople', optional=False),
        Entry('lens', 'mmhot.chain.core_steps:SetLens', optional=False),
        Entry('confidence', 'mmhot.motion.confidence:DropUncertain'),
        Entry('sides', 'mmhot.motion.side_swaps:RepairSides', 'lift', _of_people),
    ),
    'Clip3D': (
        Entry('poses', 'mmhot.motion.given_poses:TakePoses', 'refine', optional=False),
        Entry('camera', 'mmhot.motion.camera:StabilizeCamera'),
        Entry('lift', 'mmhot.chain.core_steps:Lift', optional=False),
        Entry('errors', 'mmhot.motion.expected_error:ExpectErrors', 'lift', _expects),
        Entry('smoothing', 'mmhot.motion.smoothing:SmoothPoses', 'both', _smooths),
        Entry('bones', 'mmhot.motion.given_poses:KeepBones', 'both', _of_people),
        Entry('joints', 'mmhot.motion.extremities:AddJoints', 'lift', _extends),
        Entry('camera', 'mmhot.motion.camera:RestoreCamera'),
        Entry('feet', 'mmhot.motion.foot_lock:LockFeet', 'both', _of_people),
    ),
}
"""The list of steps after tracking; users' ones of a class follow those of its key."""
_OPTIONAL = [x for entries in BUILT_IN.values() for x in entries if x.optional]
STEPS = tuple(dict.fromkeys(x.name for x in _OPTIONAL))
"""Names of the steps that can be left out, in their order."""
LIFTING = tuple(dict.fromkeys(x.name for x in _OPTIONAL if x.of != 'refine'))
"""Those of keypoints and lifted poses."""
REFINING = tuple(dict.fromkeys(x.name for x in _OPTIONAL if x.of != 'lift'))
"""Those of 3D poses of other tools."""

_REGISTERED: dict[str, 'Step'] = {}
# Inputs of steps that name a stage in place of annotating their clip.
_STAGES = {'tracks': 'Clip2D', 'keypoints': 'Clip2D', 'poses': 'Clip3D'}


class Step(Protocol):
    """A step from clip to clip: ``Clip2D -> Clip2D`` or ``Clip3D -> Clip3D``.

    Settings are arguments of its constructor. The annotation of the clip says where it
    stands, before lifting or after it. Further arguments have the names of fields of
    :class:`mmhot.chain.context.Context`; where one of them is not known, as the
    appearance of people in a file of keypoints, the step does not run, unless the
    argument may be None.

    Attributes:
        name (str): Name in ``--without``.
    """

    name: str

    def __call__(self, clip: Any, *facts: Any) -> Any:
        """Return a new clip, or the same if there is nothing to do.

        A tuple of it and a dictionary states new facts, too.
        """


@dataclass(frozen=True)
class Signature:
    """What a step takes."""

    clip: str  # class of its input, such as ``'Clip2D'``
    # names of its further arguments, and whether the step needs them
    facts: dict[str, bool]


def signature_of(step: Any) -> Signature:
    """Read the annotations of a step's call."""
    given = [*signature(type(step).__call__).parameters.values()][1:]
    if not given:
        return Signature('', {})
    clip, *facts = given
    # annotations are text or classes; a union has no name
    text = getattr(clip.annotation, '__name__', str(clip.annotation))
    name = '' if '|' in text else text.rpartition('.')[2]
    if clip.annotation is Parameter.empty:
        name = _STAGES.get(getattr(step, 'stage', ''), '')
    needs = {}
    for fact in facts:
        may_be_none = re.search('None|Optional', str(fact.annotation))
        needs[fact.name] = fact.default is Parameter.empty and not may_be_none
    return Signature(name, needs)


def register_step(step: Registered) -> Registered:
    """Add a step; those of 2D clips run before the camera, others at the end.

    Args:
        step (type | Step): A :class:`Step`, or a class of one without arguments.

    Returns:
        type | Step: The same, so that it can be used as a decorator.

    Raises:
        ValueError: If the name is taken, or an argument of its call is unknown.

    Example::

        @mmhot.register_step
        class Inches:
            name = 'inches'

            def __call__(self, clip: mmhot.Clip3D):
                return replace(clip, keypoints_3d=clip.keypoints_3d / 0.0254)
    """
    from mmhot.chain.context import FACTS

    made: Any = step() if isinstance(step, type) else step
    name = getattr(made, 'name', None)
    if not isinstance(name, str):
        raise ValueError(f'a step needs a name: got {step}')
    if name in list_steps():
        raise ValueError(f'there is a step {name!r} already')
    takes = signature_of(made)
    if takes.clip not in ('Clip2D', 'Clip3D'):
        raise ValueError(f'{name}: annotate the clip as mmhot.Clip2D or mmhot.Clip3D')
    for fact in takes.facts:
        if fact not in FACTS:
            known = ', '.join(FACTS)
            raise ValueError(f'{name}: arguments must be among {known}; got {fact!r}')
    _REGISTERED[name] = made
    return step


register_processor = register_step
"""The name of :func:`register_step` in mmhot 0.1."""


def list_steps() -> list[str]:
    """List the names of all steps that can be left out."""
    return [*STEPS, *_REGISTERED]


def of_keypoints() -> list[str]:
    """List the names of the steps whose results files of 2D keypoints have."""
    own = [entry.name for entry in BUILT_IN['Clip2D']]
    return own + [step.name for step in registered_steps('Clip2D')]


def registered_steps(clip: str) -> list[Any]:
    """List the steps of users for ``'Clip2D'`` or ``'Clip3D'``, in their order."""
    return [step for step in _REGISTERED.values() if signature_of(step).clip == clip]
