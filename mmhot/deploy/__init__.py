"""Trained models for inference: ONNX graphs for CPUs, half precision for GPUs."""
