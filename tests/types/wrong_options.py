"""Mistakes in options that mypy must report, as in ``wrong_steps.py``."""

from dataclasses import dataclass
from typing import Annotated, Literal

import mmhot
from mmhot.chain.keypoints.confidence import DropUncertain
from mmhot.chain.lifting.lift import Lift
from mmhot.options import Option, Options


@dataclass(frozen=True, kw_only=True)
class Wrong(Options):
    """Defaults of other types, and one that is no choice."""

    limit: Annotated[float | None, 'limit', Option(low=0)] = '3'  # type: ignore[assignment]
    count: Annotated[int, 'count'] = None  # type: ignore[assignment]
    axes: Annotated[Literal['camera', 'world'], 'axes'] = 'z-up'  # type: ignore[assignment]


# text is for `Options.read`, and a step has its own options only
DropUncertain(kpt_thr='0.3')  # type: ignore[arg-type]
Lift(kpt_thr=0.3)  # type: ignore[call-arg]
# arguments of the four calls: another type, choice, name, and one of another call
mmhot.infer('walk.mp4', fov=[60])  # type: ignore[arg-type]
mmhot.lift('walk.npz', smooth_3d='kalman')  # type: ignore[arg-type]
mmhot.refine('poses.json', axis='world')  # type: ignore[call-arg]
mmhot.stream(0, joints=24)  # type: ignore[call-arg]
# what is right is not reported
mmhot.infer('walk.mp4', fov=60, people=[0, 2], start='1:30', camera='moving', joints=24)
