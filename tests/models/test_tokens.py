"""Token selection: which stay, and taking them out."""

import pytest
import torch
from torch.testing import assert_close

from mmhot.models.tokens.selection import gather_tokens, keep_highest


def test_highest_scores_stay_in_ascending_order():
    scores = torch.tensor([[0.1, 0.9, 0.3, 0.8], [4.0, 3.0, 2.0, 1.0]])
    assert_close(keep_highest(scores, 2), torch.tensor([[1, 3], [0, 1]]))


def test_of_equal_scores_the_lower_index_stays():
    assert_close(keep_highest(torch.zeros(2, 300), 3), torch.arange(3).expand(2, 3))


@pytest.mark.parametrize('num_keep', [0, 5])
def test_keep_count_out_of_range_is_refused(num_keep):
    with pytest.raises(ValueError, match=f'from 1 to 4, got {num_keep}'):
        keep_highest(torch.zeros(2, 4), num_keep)


@pytest.mark.parametrize('rest', [(), (3,), (3, 2)])
def test_gathered_tokens_are_those_of_torch_gather(rest):
    x = torch.rand(2, 4, 9, *rest)
    index = torch.rand(2, 4, 9).argsort()[..., :5]
    wanted = index.reshape(2, 4, 5, *[1] * len(rest)).expand(2, 4, 5, *rest)
    assert_close(gather_tokens(x, index), x.gather(2, wanted), rtol=0, atol=0)
