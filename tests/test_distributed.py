"""Two processes train as one does."""

import distributed
import mocap


def test_two_processes_train_a_lifter_as_one_does(tmp_path):
    model = dict(backbone=dict(embed_dims=48, depth=1))
    config = mocap.tiny_config('nanohtnet*-30e_cmu-wild', model, num_samples=24)
    one = distributed.assert_two_processes_equal_one(config, tmp_path)
    assert len(one['losses']) == 3


def test_two_processes_train_mmposes_lifters_as_one_does(tmp_path):
    model = dict(backbone=dict(net=dict(stem_channels=16)), head=dict(in_channels=16))
    config = mocap.tiny_config('video-pose-lift_tcn-27frm*', model)
    distributed.assert_two_processes_equal_one(config, tmp_path)
