"""From a sentence to vectors with BERT and ALBERT, in the form that works.

A model takes numbers, not a string: the model's own tokenizer turns the sentence into token ids,
and the model turns those into one vector per token and, from its pooler, one for the sentence.

    python examples/quickstart.py
"""

import torch
from transformers import AutoModel, AutoTokenizer

MODELS = ("google-bert/bert-base-uncased", "albert/albert-base-v2")
SENTENCE = "The capital of France is Paris."

for name in MODELS:
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModel.from_pretrained(name, use_safetensors=True).eval()

    inputs = tokenizer(SENTENCE, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)

    print(name)
    print("  tokens:   ", tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]))
    print("  input_ids:", tuple(inputs["input_ids"].shape), "= (sequences, tokens)")
    print("  output:   ", tuple(outputs.last_hidden_state.shape), "= (sequences, tokens, hidden)")
    print("  pooled:   ", tuple(outputs.pooler_output.shape), "= (sequences, hidden)")
    print("  parameters:", f"{model.num_parameters():,}")
