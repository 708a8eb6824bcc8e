"""MMEngine's hub finds models of mmhot, as those of every OpenMMLab package."""

import subprocess
import sys

NANO = (
    'mmhot::body_3d_keypoint/nanohtnet/cmu_mocap/'
    'nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'
)
SCRIPT = f"""
from mmengine.hub import get_model
import torch
model = get_model({NANO!r}, pretrained=True).eval()
x = torch.ones(1, 81, 17, 2)
poses = model(x)
from mmpose.apis import init_model
from mmengine.hub import get_config
weights = 'mmhot://nanohtnet_81frm-keep9_cmu-wild'
other = init_model(get_config({NANO!r}), weights, 'cpu')
assert torch.equal(poses, other(x))
"""


def test_hub_builds_a_pretrained_model():
    exec(SCRIPT, {})


def test_hub_builds_a_pretrained_model_in_a_process_without_mmhot():
    run = subprocess.run(
        [sys.executable, '-c', SCRIPT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
