"""Steps of 2D keypoints, before the lift: people, lens, sides, confidence, camera."""
