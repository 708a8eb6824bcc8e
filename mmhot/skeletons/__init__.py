"""Skeletons: joints, bones, mirror pairs, groups and conversions."""
