"""Shipped weights, their index, and loading and converting of checkpoints."""
