"""Steps of users: where they stand in pipelines, and what they return."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, is_dataclass
from inspect import get_annotations
from typing import Any

import numpy as np

from mmhot.chain.lifting.lifted import LiftedStep
from mmhot.chain.pose2d.footage import VideoStep
from mmhot.chain.step import KeypointStep, PoseStep, S, Step
from mmhot.errors import user_code
from mmhot.options import Options
from mmhot.structures.clips_2d import check_clip
from mmhot.structures.clips_3d import Clip, Clip3D


class UserKeypoints(KeypointStep):
    """Place of users' steps of keypoints in a pipeline."""


class UserPoses(PoseStep):
    """Place of users' steps of poses in a pipeline."""


PLACES: dict[type[Step], tuple[type[Step], ...]] = {
    UserKeypoints: (KeypointStep, VideoStep),
    UserPoses: (PoseStep, LiftedStep),
}
"""Classes of the users' steps that run at a place."""
REGISTERED: dict[str, Step] = {}
"""Steps of users by name, in the order of registration."""


def users(*kinds: type[S]) -> list[S]:
    """Return the steps of users of some kinds, in their order."""
    return [step for step in REGISTERED.values() if isinstance(step, kinds)]


def options_class(kind: type) -> type[Options]:
    """Make a dataclass of options of a user's class with annotated fields.

    Subclasses of :class:`Options` are changed in place, unless they are dataclasses.
    """
    annotated = get_annotations(kind)
    if not issubclass(kind, Options):
        body = {'__module__': kind.__module__, '__annotations__': annotated}
        kind = type(kind.__name__, (kind, Options), body)
    if annotated and '__dataclass_fields__' not in vars(kind):
        dataclass(frozen=True, kw_only=True)(kind)
    return kind


def guarded(
    step: Step, call: Callable[..., Clip], is_live: bool = False
) -> Callable[..., Clip]:
    """Protect a run from faults of users' steps.

    A user's step gets a copy of the clip, and its result is checked.

    Args:
        step (Step): The step.
        call (Callable): Function of the step: itself, or the result of its ``start``.
        is_live (bool): Whether clips are frames of a stream.

    Returns:
        Callable: Function of a clip and its footage or lifted keypoints, which steps
        that do not need them do not get. It returns the clip after the step.

    Raises:
        StepError: By the function, if a user's step fails or returns a wrong clip.
    """
    needs_more = isinstance(step, VideoStep | LiftedStep)
    is_users = step.name in REGISTERED

    def checked(clip: Clip, *known: object) -> Clip:
        needed = known if needs_more else ()
        if not is_users:
            return call(clip, *needed)
        with user_code(f'the step {step.name!r}'):
            result = call(deepcopy(clip), *needed)
            if not isinstance(result, type(clip)):
                kind = type(clip).__name__
                raise TypeError(f'must return a {kind}, got {type(result).__name__}')
            if isinstance(result, Clip3D):
                kept = (result.joint_names, result.axes) == (
                    clip.joint_names,
                    clip.axes,
                )
                if is_live and not kept:
                    raise ValueError('must keep the joints and axes of a stream')
                return result.checked()
            return check_clip(result) if result.tracks else result

    return checked


def is_same(first: Any, second: Any) -> bool:
    """Return whether two clips, or parts of clips, have equal values.

    NaN equals NaN. Nothing is copied, as clips may have 100,000 frames.
    """
    if first is second:
        return True
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.array_equal(first, second, equal_nan=first.dtype.kind == 'f')
    if type(first) is not type(second):
        return False
    if is_dataclass(first):
        return is_same(vars(first), vars(second))
    if isinstance(first, list):
        return len(first) == len(second) and all(map(is_same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            is_same(value, second[key]) for key, value in first.items()
        )
    return bool(first == second)
