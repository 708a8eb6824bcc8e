"""Initialization of a GTPT with weights for another image size or skeleton."""

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import interpolate

_BINS = 'classify_x.1.', 'classify_y.1.'
_DENSE = 'coarse_to_fine.dense_tokens'
_QUERIES = 'coarse_encoder.query_tokens'
_GATES = 'coarse_to_fine.gate.2.weight', 'coarse_to_fine.gate.2.bias'


def fit_weights(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Fit the saved weights of a similar ``GTPTHead`` to a head, before it loads them.

    * Bins of x and y are interpolated where their number differs, so that training can
      continue with larger images.
    * A head with dense keypoints accepts weights without: its new tokens keep their
      initial values. A head without dense keypoints leaves out the tokens of parts.
    * With other keypoints, tokens and gates start as copies of the saved ones, in turn.
      If all started as one copy, it would take about 100 steps to tell them apart.

    PyTorch refuses other differences.

    Args:
        head (nn.Module): The head; this function is its hook before loading.
        state_dict (dict[str, Tensor]): Saved weights (...), changed in place.
        prefix (str): Prefix of the names of the head's weights.
    """
    num_sparse = head.groups.num_sparse
    num_parts = head.groups.num_parts
    drops_parts = not num_parts and state_dict.pop(prefix + _DENSE, None) is not None
    for name, parameter in head.named_parameters():
        key = prefix + name
        length = len(parameter)
        saved = state_dict.get(key)
        if saved is None or len(saved) == length:
            continue
        if saved.shape[1:] != parameter.shape[1:]:
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
        elif name in (_QUERIES, *_GATES):
            state_dict[key] = saved[torch.arange(length) % len(saved)]
            change = f'{len(saved)} rows copied in turn, as the keypoints differ'
        else:
            continue
        print_log(f'{key}: fitted to this model: {change}', 'current')
