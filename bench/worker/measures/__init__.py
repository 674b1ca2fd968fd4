"""One module per kind of measurement; each turns loaded models into records."""
