"""Steps of users."""

from collections.abc import Callable
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
    if step.name not in REGISTERED:
        return call

    def checked(clip: Clip, known: Known) -> Clip:
        argument, kind = read_only(clip), type(clip)
        try:
            result = call(argument, known)
            if result is argument:
                return clip
            if not isinstance(result, kind):
                got = type(result).__name__
                raise TypeError(f'must return a {kind.__name__}, got {got}')
            if isinstance(result, Clip3D):
                return result.checked()
            return check_clip(result) if result.tracks else result
        except (TypeError, ValueError) as error:
            raise type(error)(f'the step {step.name!r}: {error}') from error

    return checked
