"""Components that the training configs name; importing it registers them."""

from projects.rendered_people.training import (
    batched_targets,
    data_loading,
    dataset,
    guidance,
    hooks,
    image_augmentation,
    occlusion,
    person_box,
)

__all__ = [
    'batched_targets',
    'data_loading',
    'dataset',
    'guidance',
    'hooks',
    'image_augmentation',
    'occlusion',
    'person_box',
]
