_base_ = './motionagformer-b_243frm_1xb16-60e_h36m-sh.py'

model = dict(backbone=dict(depth=26))
