"""Windows of clips: coverage, blending, progress."""

import numpy as np
import pytest

from mmhot.geometry.windows import lift_windows


@pytest.mark.parametrize('num_frames', [1, 2, 3, 8, 9, 10, 50])
@pytest.mark.parametrize(
    ('seq_len', 'num_targets', 'stride', 'causal'),
    [
        *[(9, 1, 1, False), (9, 3, 1, False), (9, 3, 3, False), (9, 9, 3, False)],
        *[(9, 9, 9, False), (8, 2, 2, False), (9, 1, 1, True), (9, 3, 2, True)],
    ],
)
def test_every_frame_is_predicted_once_its_windows_are_averaged(
    num_frames, seq_len, num_targets, stride, causal
):
    first = seq_len - num_targets if causal else (seq_len - num_targets) // 2
    clips = [np.arange(num_frames, dtype=np.float32)[:, None] + 0.5]

    def targets(windows):
        return windows[:, first : first + num_targets]

    lifted = lift_windows(targets, clips, seq_len, num_targets, stride, 4, causal)
    # float32 weights
    np.testing.assert_allclose(lifted[0], clips[0], rtol=1e-6)


@pytest.mark.parametrize('stride', [0, 4])
def test_strides_that_skip_frames_are_refused(stride):
    with pytest.raises(ValueError, match=rf'stride \({stride}\) must be from 1 to'):
        lift_windows(lambda w: w, [np.zeros(5)], 3, 3, stride)
