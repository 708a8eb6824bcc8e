"""Skeletons: joints, bones, flips, and mappings from one skeleton to another."""
