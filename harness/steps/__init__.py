"""The steps of the pipeline, each on a screen of its own; they join rooms that do not know each other.

workplace.py  where things lie, who does the work, who looks on
versions.py   what a Case's numbers depend on, as it is here and now
reusing.py    store → plan: what is known already
exporting.py  plan → export
fetching.py   versions that were asked for: fetched before the first timing
quiet.py      is the machine quiet: before the first Round, and over the whole run
one_round.py  execute → measure: one Round, journalled as it happens
results.py    measure → results, by the catalogue's metrics
recording.py  journal and database for the length of a run; and the database again from the journal
"""
