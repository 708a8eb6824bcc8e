"""Pictures and videos of lifted clips; needs OpenCV and PyAV, no PyTorch."""
