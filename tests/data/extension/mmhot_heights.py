"""A file format, a step and a 2D model for `mmhot infer`."""

from dataclasses import replace
from typing import Annotated

import numpy as np

import mmhot


def write_heights(clip, path, export):
    """Write the height of each head over the floor, in meters."""
    heads = clip.root_3d[:, 2] + clip.keypoints_3d[:, 10, 2]
    path.write_text('\n'.join(f'{height:.3f}' for height in heads))


@mmhot.register_step
class FirstSecond(mmhot.PoseStep):
    name = 'first-second'
    seconds: Annotated[float, 'length of the beginning that is kept'] = 1.0

    def __call__(self, clip):
        """Keep the beginning, and state it in the name of the model."""
        first = clip.take(clip.seconds(clip.frame) < self.seconds)
        return replace(first, model=f'{clip.model}, first second')


class Boxes(mmhot.PoseEstimator):
    name, skeleton = 'boxes', 'coco-17'
    identity = {'name': name, 'version': 1}

    def __call__(self, images, boxes):
        """Place all joints on the diagonal of a person's box."""
        share = np.linspace(0, 1, 17)[:, None]
        points = [
            own[:, None, :2] * (1 - share) + own[:, None, 2:] * share for own in boxes
        ]
        return [(each, np.ones(each.shape[:2])) for each in points]


mmhot.register_writer('heights', write_heights, world=True)
mmhot.register_pose_estimator('boxes', lambda options: Boxes(), detector='whole_image')
