# The released training: no warm-up, no weight decay; after each epoch the learning rate
# is multiplied by 0.95, after every fifth by 0.5 instead. Its epochs contain each frame
# and its mirror image; here flips are random.
optim_wrapper = dict(optimizer=dict(type='Adam', lr=5e-4, amsgrad=True, fused=True))
param_scheduler = [
    dict(type='ExponentialLR', gamma=0.95, by_epoch=True),
    dict(type='StepLR', step_size=5, gamma=0.5 / 0.95, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=512)
randomness = dict(seed=1)
