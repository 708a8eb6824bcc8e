_base_ = [
    '../../../_base_/datasets/cmu_mocap_wild.py',
    '../../../_base_/models/tcn.py',
    '../../../_base_/schedules/wild_10e.py',
]
model = dict(head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=32, dataset=dict(seq_len=243, num_targets=1))
val_dataloader = dict(dataset=dict(seq_len=243))
test_dataloader = val_dataloader
