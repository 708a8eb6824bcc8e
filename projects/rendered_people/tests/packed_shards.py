"""A small shard of packed people, and ways to compare and damage shards."""

import cv2
import numpy as np
from numpy.testing import assert_array_equal

from projects.rendered_people.packed_people import PackedPeople, join_images


def packed_people(count=4, num_keypoints=133, seed=0):
    """People as colored dots on gray, 192x256 pixels each."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(20, 170, (count, num_keypoints, 2)).astype(np.float32)
    keypoints = np.round(keypoints * 64) / 64  # as they are stored
    images = []
    for points in keypoints:
        image = np.full((256, 192, 3), 128, np.uint8)
        for x, y in points:
            cv2.circle(image, (round(x), round(y)), 2, (0, 0, 255), -1)
        images.append(cv2.imencode('.png', image)[1].tobytes())
    joined, offsets = join_images(images)
    return PackedPeople(
        images=joined,
        offsets=offsets,
        keypoints=keypoints,
        visibility=rng.integers(1, 3, (count, num_keypoints)).astype(np.uint8),
        bboxes=np.tile(np.float32([10, 15, 180, 190]), (count, 1)),
        extras={'cam3d': rng.normal(size=(count, 23, 3)).astype(np.float16)},
    )


def assert_same(people, wanted):
    for name in ('images', 'offsets', 'keypoints', 'visibility', 'bboxes'):
        assert_array_equal(getattr(people, name), getattr(wanted, name), err_msg=name)
    assert people.extras.keys() == wanted.extras.keys()
    for name, extra in people.extras.items():
        assert extra.dtype == wanted.extras[name].dtype
        assert_array_equal(extra, wanted.extras[name])


def damage(path, **arrays):
    """Replace arrays of a shard; None removes one."""
    with np.load(path) as archive:
        arrays = dict(archive) | arrays
    np.savez(path, **{name: x for name, x in arrays.items() if x is not None})
