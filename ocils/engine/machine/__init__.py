"""Which device, which compute type, how many candidates: the machine read, and a pure choice."""
