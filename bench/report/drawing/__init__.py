"""What figures share: their look, their declaration, and how they become files."""
