# train_2d.py runs it; on a GPU with other numbers.
_base_ = [
    './_base_/rendered_people_wide.py',
    '../../../configs/_base_/models/gtpt-t.py',
    './_base_/rendered_parts.py',
]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='PartialEpochSampler', num_samples=2048),
)
# the pass with pruning alone, from weights that need little guidance
model = dict(
    head=dict(
        loss=dict(entire_weight=0.0, distill_weight=0.0),
        guidance=dict(type='PatchGuidanceLoss', weight=0.001),
    ),
)
