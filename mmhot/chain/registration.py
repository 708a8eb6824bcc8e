"""Registration of users' steps."""

import re
from typing import TypeVar

from mmhot.chain.calls import (
    INFER_COMMAND,
    LIFT_COMMAND,
    REFINE_COMMAND,
    STREAM_COMMAND,
)
from mmhot.chain.lifting.lifted import LiftedStep
from mmhot.chain.pose2d.footage import VideoStep
from mmhot.chain.step import KeypointStep, PoseStep, Step
from mmhot.chain.user_steps import REGISTERED, options_class
from mmhot.errors import require_signature, user_code
from mmhot.options import options_of, require_new_options

UserStep = KeypointStep | VideoStep | PoseStep | LiftedStep
Registered = TypeVar('Registered', bound=type[UserStep] | UserStep)
_CALLS = INFER_COMMAND, LIFT_COMMAND, REFINE_COMMAND, STREAM_COMMAND
# Arguments of mmhot.infer and mmhot.lift; no option can have their names
_ARGUMENTS = 'source', 'keypoints', 'cache', 'progress'
# Base classes of steps, and what they are called with
_GIVEN = {
    KeypointStep: ('clip',),
    VideoStep: ('clip', 'footage'),
    PoseStep: ('clip',),
    LiftedStep: ('clip', 'lifted'),
}


def register_step(step: Registered) -> Registered:
    """Add a step to the pipelines.

    Steps on keypoints run before ``camera``, steps on poses at the end.

    Args:
        step (type | Step): A subclass of :class:`mmhot.KeypointStep` (2D keypoints),
            :class:`mmhot.VideoStep` (2D keypoints and the video),
            :class:`mmhot.PoseStep` (3D poses) or :class:`mmhot.LiftedStep` (3D poses
            and 2D keypoints) with a ``name``, or an object of one. It is called with a
            copy of the clip and returns a clip. Its annotated fields become options:
            flags of the commands, keywords, and values in ``clip.steps``. If its
            attribute ``live`` is True, streams run it, too, with clips of one frame.

    Returns:
        type | Step: The step itself, so that this can be used as a decorator.

    Raises:
        ValueError: If it is not a step, cannot be called as one, or has an option of a
            type that is not read; if its name or the name of an option is taken.

    Example::

        @mmhot.register_step
        class Confident(mmhot.PoseStep):
            name = 'confident'
            limit: Annotated[float, 'least confidence of people'] = 0.6

            def __call__(self, clip):
                return clip.take(clip.scores.mean(1) > self.limit)

        mmhot.lift('demo/skating_2d_coco17.npz', limit=0.3)
    """
    kind = step if isinstance(step, type) else type(step)
    if not issubclass(kind, tuple(_GIVEN)):
        kinds = 'KeypointStep, VideoStep, PoseStep or LiftedStep'
        raise ValueError(f'a step must be a subclass of {kinds}, got {step!r}')
    name = getattr(kind, 'name', None)
    if not (isinstance(name, str) and re.fullmatch(r'[\w-]+', name)):
        raise ValueError(
            f'a step needs a name of letters, digits, - and _, got {name!r}'
        )
    others = [kind for call in _CALLS for kind in call.kinds]
    if name in {x.name for x in others if issubclass(x, Step)}:
        raise ValueError(f'there is a step {name!r} already: choose another name')
    with user_code(f'the step {name!r}'):
        require_new_options(options_class(kind), others)
        if taken := options_of(kind).keys() & {*_ARGUMENTS}:
            raise ValueError(
                f'an option cannot have the name {taken.pop()!r}: it is an argument of '
                'mmhot.infer or mmhot.lift'
            )
        made = step() if isinstance(step, type) else step
        base = next(x for x in _GIVEN if issubclass(kind, x))
        if kind.__call__ is base.__call__:
            raise TypeError('must have a method __call__')
        require_signature(made, *_GIVEN[base])
        require_signature(made.start, 'fps')
        REGISTERED[name] = made
    return step
