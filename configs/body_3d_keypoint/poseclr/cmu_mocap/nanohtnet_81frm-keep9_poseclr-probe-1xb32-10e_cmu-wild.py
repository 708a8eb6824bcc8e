_base_ = './nanohtnet_81frm-keep9_poseclr-1xb32-10e_cmu-wild.py'

# linear probe: only the head, a linear layer, is trained
custom_hooks = [*_base_.custom_hooks, dict(type='FreezeHook', modules=['backbone'])]
find_unused_parameters = True
