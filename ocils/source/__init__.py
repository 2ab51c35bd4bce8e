"""Python source through tree-sitter: targets, context, small edits, splicing; pure."""
