"""2D poses of people in frames: detectors, 2D models, frames between keyframes."""
