"""What is measured: one file per suite, and the models in `models.py` (see README.md here)."""
