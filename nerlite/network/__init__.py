"""The layers, and in `nerlite.network.model` their wiring."""
