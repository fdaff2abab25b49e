"""Every process that the conductor starts, and the guard that ends them when the conductor is gone.

children.py  end groups as a whole; the guard; one folder for everything temporary
child.py     a child that speaks in lines: what it says, how it ended
endings.py   how a child ended that did not say so itself
zygotes.py   start a process with its imports made, and have it fork children
forking.py   that process's side of it
guard.py     a process that waits for the conductor's end, however it comes, and leaves nothing behind
"""
