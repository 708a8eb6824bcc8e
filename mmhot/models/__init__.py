"""Models, losses and their parts; :mod:`mmhot.plugin` registers them."""
