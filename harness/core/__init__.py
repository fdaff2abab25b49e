"""The nouns of the house, and what is true of them without doing anything: pure, no I/O, no clock.

errors.py      a user's mistake (exit 2) apart from the harness's own bugs
digest.py      one canonical form of a value, and its SHA-256
content.py     what a local model is, told by its files: one rule for who plans and who exports, hence the one I/O
units.py       durations and sizes, as people write them and as we keep them
nouns.py       Model, Task, Case, Plan, Artifact: what is asked for
plugins.py     what backends, browsers, exporters and architectures say of themselves
asked.py       a browser's version, program or device that was asked for
events.py      what a worker or a page says to the conductor and back; the legal order
leaves.py      what a module returns: its tensors by name
rounds.py      Round, Verdict, CaseResult: what was observed, and what follows from it
statistics.py  medians, quantiles and intervals whose coverage is known
"""
