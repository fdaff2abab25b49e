"""Causal language modelling, one forward pass over the prompt."""

DESCRIBE = {
    "name": "text-generation",
    "title": "Causal language modelling, one forward pass over the prompt",
    "auto_classes": ["AutoModelForCausalLM"],
    "inputs": ["tokens"],
    "item": "sequence",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
