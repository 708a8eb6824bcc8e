"""Keep rates of GTPT, and the number of tokens that each layer keeps."""

from collections.abc import Sequence
from numbers import Real

KeepRates = Sequence[float] | None


def count_tokens(
    keep_rates: KeepRates,
    num_patches: int,
    depth: int,
    first_grouped: int,
    num_dense: int = 0,
) -> tuple[int, ...]:
    """Return the number of private tokens of each layer, a share of all patches.

    Dense keypoints count as private tokens in the layers that they take part in.

    Args:
        keep_rates (Sequence[float], optional): Shares of the patches that are kept,
            each for an equal number of layers. None keeps all.
        num_patches (int): Patches of the image.
        depth (int): Layers of the whole model.
        first_grouped (int): First layer in which keypoints are grouped.
        num_dense (int): Most dense keypoints of a group. Defaults to 0.

    Returns:
        tuple[int]: Tokens of each layer, none growing.

    Raises:
        ValueError: If rates are out of range, grow, do not divide the layers or leave
            a group without a patch.
    """
    rates = _check_rates((1.0,) if keep_rates is None else keep_rates)
    if depth % len(rates):
        raise ValueError(
            f'keep_rates must divide the {depth} layers evenly, got {len(rates)} rates'
        )
    rates = [rate for rate in rates for _ in range(depth // len(rates))]
    counts = tuple(int(num_patches * rate) for rate in rates)
    for layer, count in enumerate(counts):
        dense = num_dense if layer >= first_grouped else 0
        if count <= dense:
            reason = f' beside {dense} dense keypoints' if dense else ''
            raise ValueError(
                f'keep_rates: {rates[layer]:g} of {num_patches} patches leaves none'
                f'{reason} in layer {layer}; at least {(dense + 1) / num_patches:.4g} '
                'must be kept'
            )
    return counts


def _check_rates(keep_rates: Sequence[float]) -> tuple[float, ...]:
    """Return keep rates as a tuple of numbers in (0, 1] that do not grow."""
    is_list = isinstance(keep_rates, Sequence) and not isinstance(keep_rates, str)
    rates = tuple(keep_rates) if is_list else ()
    if not rates or not all(_is_share(rate) for rate in rates):
        raise ValueError(
            'keep_rates must be a list of numbers above 0 and at most 1, '
            f'got {keep_rates!r}'
        )
    if any(later > earlier for earlier, later in zip(rates, rates[1:], strict=False)):
        raise ValueError(
            f'keep_rates must not grow, as pruned patches do not come back, got '
            f'{keep_rates!r}'
        )
    return tuple(map(float, rates))


def _is_share(rate: object) -> bool:
    return isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate <= 1
