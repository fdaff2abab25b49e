"""What the harness itself costs: `python -m tests.bench`, side by side with bare loops and peers. It asserts no time.

section.py    what a section is: a question, its unit, its aim, and rows of figures
pairs.py      interleaved pairs: ratios with an interval
standins.py   models of a wanted duration, sized on the spot and really exported
ours.py       one Round through the real executors
bare.py       the same work in the loop that a stranger would write (loops/)
chains.py     two graphs whose work differs by a known share
tachometer.py the peer for two web pages (peers/)
limited.py    a command with a time limit
watching.py   clocks around the real parts of a Round
conducting.py the real command line, with a reading of its own CPU time at each Event
history.py    the JSON of each bench, and one line per bench
picture.py    one picture
runner.py     all sections, one after the other, whatever becomes of one of them
sections/     ONE FILE = ONE SECTION
"""
