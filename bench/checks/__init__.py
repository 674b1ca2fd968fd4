"""The harness checked against known values and other tools: workers measure, these judge."""
