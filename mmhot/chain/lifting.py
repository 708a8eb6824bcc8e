"""Lifting of a clip with the processors before and after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mmhot.chain.processors import Processor, run_processors
from mmhot.lifting.lifter import Lifter
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens


def lift_clip(
    lifter: Lifter,
    processors: Sequence[Processor],
    clip: Clip2D,
    lens: Lens | None = None,
    progress: Callable[[int, int], None] | None = None,
    **known: Any,
) -> Clip3D:
    """Lift a clip; processors run before and after that, in order.

    The lens is that of images of this size, by default the clip's. ``known`` is for the
    processors, see :data:`mmhot.chain.processors.STAGES`.

    Steps that the clip has had are left out.

    Raises:
        ValueError: If no keypoint can be lifted.
    """
    processors = [step for step in processors if step.name not in clip.steps]
    clip = replace(clip, lens=lens or clip.lens)
    known |= dict(lens=clip.lens, mapping=lifter.mapping)
    clip = run_processors(processors, 'keypoints', clip, known)
    lifted, evidence = lifter.lift(clip, lifter.prepare(clip), progress)
    lifted, known['keypoints'] = replace(lifted, steps=clip.steps), clip
    if evidence is not None:
        known['evidence'] = evidence
    return run_processors(processors, 'poses', lifted, known)
