"""Results for people and programs; one file per format.

as_json.py   the JSON object of INTERFACE: fixed names, null for what does not apply
table.py     the terminal's table, its marks and their reasons, and the sentence that reads it
plan.py      what would be done with every point of a Plan, and why
progress.py  what happens while it happens, on stderr
"""
