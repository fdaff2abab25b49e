"""spec (TOML, flags) → Plan; and which Round comes next.

selection.py  what the user asked for, from flags and spec files
models.py     what a model's name means: path, hub id or architecture
sets.py       families, named sets, all, fixed samples: which models those are
cases.py      Selection → Plan: every point asked for, the impossible ones with their reason
incremental.py  Plan + what is known → Plan: what need not be measured again
schedule.py   history → the next Round, or nothing
"""
