# The released training: no warm-up; the learning rate falls by a hundredth after each
# epoch. Its epochs contain each window and its mirror image; here each window comes
# twice, flipped at random.
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-5, weight_decay=0.1, fused=True)
)
param_scheduler = [dict(type='ExponentialLR', gamma=0.99, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=4)
randomness = dict(seed=1126)
