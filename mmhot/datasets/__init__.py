"""Datasets of clips and people, with their transforms, samplers and collation."""

from mmhot.datasets import (  # noqa: F401 registers
    data_loading,
    human36m_dataset,
    mocap_dataset,
    mpi_inf_3dhp_dataset,
    multi_view,
    transforms,
)
