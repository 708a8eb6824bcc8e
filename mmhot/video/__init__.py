"""Video to 2D keypoints of people: reading, detecting, tracking, smoothing."""
