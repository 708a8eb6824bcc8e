"""Fair comparisons of models: what they cost and how long they take."""
