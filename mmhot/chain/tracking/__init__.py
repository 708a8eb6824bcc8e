"""People followed through a clip: IDs, appearance, and the background behind them."""
