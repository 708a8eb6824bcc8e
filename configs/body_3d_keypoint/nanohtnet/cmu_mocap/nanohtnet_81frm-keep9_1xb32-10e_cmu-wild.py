_base_ = './nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'

# a third of the training of the shipped weights, for comparisons of lifters
train_cfg = dict(max_epochs=10)
