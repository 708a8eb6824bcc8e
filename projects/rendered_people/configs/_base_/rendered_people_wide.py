# Rendered people with stronger augmentation: any rotation, truncated bodies, night,
# black and white, strong compression and blur, light of any color.
_base_ = ['./rendered_people.py', './strong_augmentation.py']

train_pipeline = _base_.train_pipeline
train_pipeline[6].update(rotate_prob=0.5, around_prob=0.3)
train_pipeline[9] = _base_.strong_augmentation
# after the border is extended, before the box's center and scale
train_pipeline.insert(4, dict(type='RandomTruncation', prob=0.25))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
