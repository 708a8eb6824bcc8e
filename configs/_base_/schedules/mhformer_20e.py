# The released training: no warm-up, no weight decay; after each epoch the rate is
# multiplied by 0.95, after every fifth by 0.5 instead. Its epochs show each window and
# its mirror image: here data come twice, flipped at random.
_base_ = ['./htnet.py']
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=128)
