"""Lifting of a clip with the processors before and after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmhot.lifting.lifter import Lifter
from mmhot.motion.processors import Processor, run_processors
from mmhot.motion.smoothing import smooth_points
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens

Progress = Callable[[int, int], None]
"""Receives the numbers of lifted frames and of all frames, summed over people."""


@dataclass(frozen=True)
class LiftingChain:
    """A lifter with its processors.

    Args:
        lifter (Lifter): Lifts keypoints.
        processors (Sequence[Processor]): Run before and after that, in order.
        mapping (str, optional): See :class:`mmhot.Lifter`.
        smooth_2d (str): Filter of keypoints whose gaps are filled, see
            :func:`mmhot.motion.smoothing.smooth_points`. Defaults to 'none'.
    """

    lifter: Lifter
    processors: Sequence[Processor] = ()
    mapping: str | None = None
    smooth_2d: str = 'none'

    def prepare(
        self, clip: Clip2D, lens: Lens | None = None, **known: Any
    ) -> Callable[[Progress | None], Clip3D]:
        """Check that a clip can be lifted.

        Args:
            clip (Clip2D): 2D keypoints.
            lens (Lens, optional): Of images of this size. By default the clip's.
            **known (Any): What processors need, by names of
                :data:`mmhot.motion.processors.STAGES`.

        Returns:
            Callable: Lifts the clip.

        Raises:
            ValueError: If no keypoint can be lifted.
        """
        clip = replace(clip, lens=lens or clip.lens)
        known |= dict(lens=clip.lens, mapping=self.mapping or self.lifter.mapping)
        clip = run_processors(self.processors, 'keypoints', clip, known)
        segments = self.lifter.prepare(clip, self.mapping)
        known['keypoints'] = clip

        def lift(progress: Progress | None = None) -> Clip3D:
            for segment in segments:
                segment.keypoints = smooth_points(
                    segment.keypoints, clip.fps, self.smooth_2d
                )
            lifted, evidence = self.lifter.lift_with_evidence(
                clip, segments, progress, clip.lens
            )
            found = {} if evidence is None else {'evidence': evidence}
            return run_processors(self.processors, 'poses', lifted, known | found)

        return lift
