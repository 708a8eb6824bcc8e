"""Transforms of pose windows and of crops around people."""

from mmhot.datasets.transforms import (  # noqa: F401 registers
    detector_noise,
    motion_augmentation,
    person_crop,
    skeleton_augmentation,
    virtual_camera,
)
