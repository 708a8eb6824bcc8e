"""Steps of users: classes that map a 2D or a 3D clip to another one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from mmhot.state import LiveStep, State
from mmhot.structures.clips import Clip2D, Clip3D, check_clip, read_only

T = TypeVar('T', Clip2D, Clip3D)


@dataclass(frozen=True, kw_only=True)
class UserStep(LiveStep):
    """A step of a user; one that is not live needs whole clips."""

    name = ''
    live: ClassVar[bool] = False

    apply: Callable[[Any], object] = lambda clip: clip

    def _applied(self, clip: T) -> T:
        """Return the checked clip that the user's step makes of a clip."""
        argument, kind = read_only(clip), type(clip)
        try:
            result = self.apply(argument)
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
            text = f'the step {self.name!r}: {error}'
            raise type(error)(text) from error


@dataclass(frozen=True, kw_only=True)
class KeypointStep(UserStep):
    """A step of a user from a 2D clip to a 2D clip."""

    def __call__(self, state: State) -> State:
        """Replace the keypoints."""
        return replace(state, keypoints=self._applied(state.clip_2d()))


@dataclass(frozen=True, kw_only=True)
class PoseStep(UserStep):
    """A step of a user from a 3D clip to a 3D clip."""

    def __call__(self, state: State) -> State:
        """Replace the poses; frames of streams may have none."""
        if state.poses is None:
            return state
        return replace(state, poses=self._applied(state.poses))


_REGISTERED: dict[str, UserStep] = {}


def registered_steps(kind: type[UserStep] = UserStep) -> Sequence[UserStep]:
    """Return the steps of users of a kind, in their order."""
    return [step for step in _REGISTERED.values() if isinstance(step, kind)]


def add_step(step: UserStep) -> None:
    """Add a step after those of its kind."""
    _REGISTERED[step.name] = step
