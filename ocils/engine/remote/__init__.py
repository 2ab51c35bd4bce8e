"""A model behind the protocol of OpenAI: an engine that asks such a server, and such a server."""
