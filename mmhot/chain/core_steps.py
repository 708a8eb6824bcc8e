"""Steps that every chain has: set the lens, lift."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mmhot.frames.sources import FrameSource
from mmhot.lifting.clip_encoder import check_liftable
from mmhot.lifting.lifter import Lifter
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens, resolve_intrinsics

_Count = Callable[[int, int], None]


@dataclass(frozen=True)
class SetLens:
    """State the lens of the images."""

    name, live = 'lens', True
    fov: float | None = None  # horizontal angle of view, degrees
    intrinsics: Lens | None = None  # calibration, in place of it

    def __call__(
        self, clip: Clip2D, frames: FrameSource | None
    ) -> tuple[Clip2D, dict[str, Any]]:
        """Return the clip with the lens, by default its own or that of the file."""
        size = clip.width, clip.height
        lens = self.of_size(*size) or clip.lens
        if lens is None and frames is not None and frames.focal_35mm is not None:
            lens = Lens.of_35mm(frames.focal_35mm, *size)
        return replace(clip, lens=lens), {'lens': lens}

    def of_size(self, width: int, height: int) -> Lens | None:
        """Return the lens of images of a size in pixels; None if it is not known."""
        return resolve_intrinsics(width, height, self.fov, self.intrinsics)


@dataclass
class Lift:
    """Lift tracked people to 3D."""

    name, live = 'lift', True
    lifter: Lifter

    def __call__(
        self, clip: Clip2D, cuts: list[int] | None, progress: _Count
    ) -> tuple[Clip3D, dict[str, Any]]:
        """Return the poses in camera axes; the facts are what they were made of."""
        check_liftable(clip, self.lifter.skeleton)
        segments = self.lifter.prepare(clip)
        lifted, evidence = self.lifter.lift(clip, segments, progress)
        lifted = replace(lifted, steps=clip.steps, cuts=tuple(cuts or ()))
        mapping = self.lifter.mapping
        return lifted, dict(keypoints=clip, evidence=evidence, mapping=mapping)
