"""Steps of users."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from mmhot.step import Clip, ClipStep, KeypointStep, Known, PoseStep
from mmhot.structures.clips_2d import check_clip
from mmhot.structures.clips_3d import Clip3D, read_only

Kind = TypeVar('Kind', bound=ClipStep[Any, Any])


class UserKeypoints(KeypointStep[object]):
    """Place of users' steps of keypoints in a pipeline."""

    name = ''


class UserPoses(PoseStep[object]):
    """Place of users' steps of poses in a pipeline."""

    name = ''


REGISTERED: dict[str, ClipStep[Any, Any]] = {}
"""Steps of users by name, in their order."""


def users(kind: type[Kind]) -> list[Kind]:
    """Return the steps of users of a kind, in their order."""
    return [step for step in REGISTERED.values() if isinstance(step, kind)]


def guarded(
    step: ClipStep[Clip, Known], call: Callable[[Clip, Known], Clip]
) -> Callable[[Clip, Known], Clip]:
    """Return the call of a step; what users' steps get and return is checked."""
    return partial(_checked, step.name, call) if step.name in REGISTERED else call


def _checked(
    name: str, call: Callable[[Clip, Known], Clip], clip: Clip, known: Known
) -> Clip:
    """Call a user's step with a clip that it cannot change."""
    argument, kind = read_only(clip), type(clip)
    try:
        result = call(argument, known)
        if result is argument:
            return clip
        if not isinstance(result, kind):
            raise TypeError(
                f'must return a {kind.__name__}, but returned '
                f'{"nothing" if result is None else type(result).__name__}'
            )
        if isinstance(result, Clip3D):
            return result.checked()
        return check_clip(result) if result.tracks else result
    except (TypeError, ValueError) as error:
        raise type(error)(f'the step {name!r}: {error}') from error
