# The released training: no warm-up, no weight decay; the learning rate halves after
# every fifth epoch. Its epochs contain each window and its mirror image; here flips are
# random.
optim_wrapper = dict(optimizer=dict(type='Adam', lr=5e-4, amsgrad=True, fused=True))
param_scheduler = [dict(type='StepLR', step_size=5, gamma=0.5, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=256)
randomness = dict(seed=1)
