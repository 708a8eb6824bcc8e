_base_ = './nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'

# A third of the training of the shipped weights is enough to compare lifters.
train_cfg = dict(max_epochs=10)
