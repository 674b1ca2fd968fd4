"""BERT or ALBERT: an interleaved, interval-first benchmark of transformers encoders."""

__version__ = "0.1.0"
