"""Layers shared by several models; they depend on PyTorch and MMCV alone."""
