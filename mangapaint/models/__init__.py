"""The nets, the registry of weights and the store that finds them."""
