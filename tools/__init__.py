"""Command-line tools: training, testing, conversion, demos, and the lab."""
