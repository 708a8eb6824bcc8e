"""Where 2D keypoints come from, one module a kind."""
