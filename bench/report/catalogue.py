"""The names of all figures and what each shows, without the weight of drawing them."""

FIGURES = {
    "latency": "latency by sequence length",
    "throughput": "sequences per second by batch size",
    "ratios": "the paired ratio of every timed workload",
    "memory": "weights and peak activations, stacked",
    "crossover": "weights and activations by tokens in a batch, of two models or more",
    "parameters": "parameters by part, stored against applied",
    "work": "from stored parameters to latency, as ratios",
    "distribution": "distribution of the samples",
    "course": "samples in the order they ran",
    "variants": "what each way to run a model gains",
    "scaling": "speed-up by number of threads",
    "family": "stored parameters against latency, of three models or more",
    "accuracy": "measured latency against published accuracy",
}
"""In the order of the page."""
