"""What happens to a picture in a camera and on its way."""

import os
import random

import numpy as np
from mmpose.datasets.transforms import Albumentation
from mmpose.registry import TRANSFORMS

from mmhot.installation.imports import import_extra

# albumentations would ask the network for its latest version when imported
os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')


@TRANSFORMS.register_module()
class SeededAlbumentation(Albumentation):
    """MMPose's ``Albumentation``, for albumentations 2, and as random as NumPy is.

    Albumentations 2 draws from generators of its own, which no seed of a training
    reaches: here all share two, seeded for each picture by a number that NumPy's
    global generator draws. It takes pictures for RGB; those of MMPose are BGR until
    they are normalized, and are turned for it. Modified key: ``img``.

    Args:
        transforms (list[dict]): Pixel-level transforms, ``type`` their name.
        keymap (dict, optional): MMPose's. Defaults to None: the picture alone.

    Raises:
        ValueError: If albumentations is not installed, or has no such transform.
    """

    def __init__(self, transforms: list[dict], keymap: dict | None = None) -> None:
        self.library = import_extra('albumentations', 'SeededAlbumentation', 'augment')
        super().__init__(transforms, keymap)

    def albu_builder(self, cfg: dict) -> object:
        """Build a transform, and those within it.

        Args:
            cfg (dict): ``type`` and arguments.

        Returns:
            object: The transform of albumentations.
        """
        args = dict(cfg)
        name = args.pop('type')
        if not hasattr(self.library, name):
            raise ValueError(
                f'albumentations {self.library.__version__} has no transform {name!r}'
            )
        if 'transforms' in args:
            args['transforms'] = [
                self.albu_builder(each) for each in args['transforms']
            ]
        return getattr(self.library, name)(**args)

    def transform(self, results: dict) -> dict:
        """Change the picture; see the class."""
        seed = np.random.randint(2**31)
        # by ``set_random_seed`` every effect would draw the same numbers: those with
        # a probability of 0.4 would all come together, in four pictures of ten
        self.aug.set_random_state(np.random.default_rng(seed), random.Random(seed))
        results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
        results = super().transform(results)
        results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
        return results
