"""Context and turns to prompts, replies to code; pure."""
