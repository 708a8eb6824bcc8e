"""Number of tokens that each layer of GTPT keeps."""

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

    Args:
        keep_rates (Sequence[float], optional): Shares of the patches that are kept,
            each for an equal number of layers. None keeps all.
        num_patches (int): Number of all patches.
        depth (int): Number of layers.
        first_grouped (int): First layer in which dense keypoints count as private
            tokens.
        num_dense (int): Largest number of dense keypoints of a group.

    Returns:
        tuple[int, ...]: Private tokens of each layer, (depth,).

    Raises:
        ValueError: If rates are out of range, grow, do not divide the layers or leave
            a group without a patch.

    Two layers keep seven tenths of 192 patches, two others four tenths:

        >>> count_tokens((0.7, 0.4), num_patches=192, depth=4, first_grouped=2)
        (134, 134, 76, 76)
    """
    keep_rates = (1.0,) if keep_rates is None else keep_rates
    rates = list(keep_rates) if isinstance(keep_rates, Sequence) else []
    are_shares = rates and all(isinstance(x, Real) and 0 < x <= 1 for x in rates)
    if not are_shares or rates != sorted(rates, reverse=True):
        raise ValueError(
            'keep_rates must be a list of numbers above 0 and at most 1 that do not '
            f'grow, as pruned patches do not come back, got {keep_rates!r}'
        )
    if depth % len(rates):
        raise ValueError(
            f'keep_rates must have a number of rates that divides the {depth} layers, '
            f'got {len(rates)}'
        )
    rates = [rate for rate in rates for _ in range(depth // len(rates))]
    counts = tuple(int(num_patches * rate) for rate in rates)
    for layer, count in enumerate(counts):
        dense = num_dense if layer >= first_grouped else 0
        if count <= dense:
            raise ValueError(
                f'keep_rates: {rates[layer]:g} of {num_patches} patches leaves {count} '
                f'tokens in layer {layer}, and a group needs {dense + 1}, with its '
                f'dense keypoints: keep at least {(dense + 1) / num_patches:.4g}'
            )
    return counts
