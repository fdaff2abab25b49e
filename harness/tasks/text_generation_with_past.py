"""Causal language modelling, one step of generation: a new token against a cache of those before it."""

DESCRIBE = {
    "name": "text-generation-with-past",
    "title": "Causal language modelling, one step of generation with a cache",
    "auto_classes": ["AutoModelForCausalLM"],
    "inputs": ["tokens", "past"],
    # One new token each: items per second are tokens per second at a cache of the asked length.
    "item": "token",
    "length_default": 128,
    "phases": ["prepare", "load", "first", "warm", "sample"],
    "agreement": "argmax",
}
