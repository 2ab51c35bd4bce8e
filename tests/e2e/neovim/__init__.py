"""A real Neovim, driven."""
