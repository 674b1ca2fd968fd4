"""The `bench` command: one module per group of verbs."""
