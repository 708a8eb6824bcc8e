# The released training: HTNet's schedule. Its epochs contain each window and its mirror
# image; here each window comes twice, flipped at random.
_base_ = ['./htnet.py']
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=128)
