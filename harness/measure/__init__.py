"""Events → Round → result; verification of outputs; the machine and its probes."""
