"""What follows from results that stand beside each other: pure.

pairs.py        which points differ only in the version of their browser or runtime
differences.py  what broke, what was mended
comparison.py   how many times as long, with an interval
bisection.py    in which version it changed: what to try next, or the answer (likeness, placing, observing: of what)
"""
