"""Step ``lens``: set the lens of a clip from an angle of view or a calibration."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError
from mmhot.options import Option, Options
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Lens


def read_intrinsics(value: Lens | str | Path) -> Lens:
    """Read a calibration file; a :class:`Lens` is returned as it is.

    Raises:
        ArgumentError: If the value has another type, or the file cannot be read.
    """
    if isinstance(value, Lens):
        return value
    if not isinstance(value, str | Path):
        raise ArgumentError(
            '{intrinsics} must be a calibration file or a mmhot.structures.lens.Lens, '
            'got %s',
            type(value).__name__,
        )
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(value)
    except (ValueError, OSError) as error:
        raise ArgumentError('{intrinsics}: %s', error) from error


@dataclass(frozen=True, kw_only=True)
class LensOptions(Options):
    """Options of the lens of images."""

    title = 'camera'

    fov: Annotated[
        float | None,
        'horizontal angle of view (default: from the file or a pan, otherwise assumed: '
        '60 for landscape videos)',
        # Smaller angles are meant as radians: a focal length of 1 m has 2 degrees.
        Option(low=2, high=170, metavar='DEGREES'),
    ] = None
    intrinsics: Annotated[
        Lens | None,
        'camera calibration (.json, .yml or .npz), instead of --fov',
        Option(read=read_intrinsics, metavar='FILE'),
    ] = None

    def __post_init__(self) -> None:
        if self.fov is not None and self.intrinsics is not None:
            raise ArgumentError('{fov} cannot be combined with {intrinsics}: give one')

    def lens_of(self, width: int, height: int) -> Lens | None:
        """Return the lens for images of this size in pixels, or None if not stated."""
        if self.intrinsics is not None:
            return self.intrinsics.fitted(width, height)
        return None if self.fov is None else Lens.of_view(self.fov, width, height)


@dataclass(frozen=True, kw_only=True)
class SetLens(LensOptions, KeypointStep):
    """Step ``lens``: set the lens of the images."""

    name = 'lens'
    optional = False
    live = True

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Set the lens that the options give; without one, the clip keeps its own."""
        return replace(clip, lens=self.lens_of(clip.width, clip.height) or clip.lens)
