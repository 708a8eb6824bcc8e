# Crops of 144 x 192 pixels.
_base_ = ['./rendered_people.py']

size = (144, 192)
codec = dict(input_size=size)
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[8].input_size = train_pipeline[10].encoder.input_size = size
val_pipeline[2].input_size = size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
