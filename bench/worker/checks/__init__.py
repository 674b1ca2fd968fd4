"""The measurements of `bench selftest` and `bench crosscheck`; the parent judges them."""
