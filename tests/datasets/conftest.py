"""Seeds of the tests of transforms."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)  # noqa: NPY002 the transforms draw from it
