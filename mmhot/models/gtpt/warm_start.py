"""Initialization of a GTPT with weights for another image size or skeleton."""

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import interpolate

_BINS = 'classify_x.1.', 'classify_y.1.'
_DENSE = 'coarse_to_fine.dense_tokens'
_QUERIES = 'coarse_encoder.query_tokens'
# Parameters with a shape that depends on the number of keypoints or groups
_OF_SKELETON = (_QUERIES, 'coarse_to_fine.gate.2.weight', 'coarse_to_fine.gate.2.bias')


def fit_weights(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Fit the weights of a similar ``GTPTHead``, as a hook before they are loaded.

    Args:
        head (nn.Module): The head.
        state_dict (dict[str, Tensor]): Saved weights (...), which are replaced.
        prefix (str): Prefix of their names.

    Bins of x and y are interpolated where their number differs, so that training can
    continue with larger images. A head with dense keypoints accepts the weights of
    one without: its new tokens keep their initial values. A head without leaves out
    the tokens of the other's parts. Tokens and gates of other keypoints start as the
    saved ones, in turn: equal ones would have to become different first, which takes
    about 100 steps. PyTorch refuses other differences.
    """
    num_sparse, num_parts = head.groups.num_sparse, head.groups.num_parts
    drops_parts = not num_parts and state_dict.pop(prefix + _DENSE, None) is not None
    for name, parameter in head.named_parameters():
        key = prefix + name
        length = len(parameter)
        saved = state_dict.get(key)
        if saved is None or saved.ndim != parameter.ndim:
            continue
        if saved.shape[0] == length or saved.shape[1:] != parameter.shape[1:]:
            continue
        if name.startswith(_BINS):
            bins = saved.reshape(len(saved), -1).T[None].float()
            bins = interpolate(bins, length, mode='linear')[0].T
            state_dict[key] = bins.reshape(parameter.shape).to(saved.dtype)
            change = f'{len(saved)} bins interpolated to {length}'
        elif name == _QUERIES and drops_parts and len(saved) > num_sparse:
            state_dict[key] = saved[-num_sparse:]
            change = f'{len(saved) - num_sparse} tokens of parts left out'
        elif name == _QUERIES and len(saved) == num_sparse:
            new = parameter[:num_parts].detach().to(saved)
            state_dict[key] = torch.cat([new, saved])
            change = f'{num_parts} new tokens'
        elif name in _OF_SKELETON:
            state_dict[key] = saved[torch.arange(length) % len(saved)]
            change = f'{len(saved)} rows taken in turn, the keypoints are others'
        else:
            continue
        print_log(f'weights fitted: {key}: {change}', 'current')
