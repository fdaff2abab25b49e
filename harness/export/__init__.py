"""Plan → Artifacts: what is missing is exported, in a process of its own, before the first timing.

request.py   Case → ArtifactRequest and its digest: which Cases share an Artifact
process.py   speak with `exporters.worker`
forks.py     the same in forks of one process, within limits
cache.py     `artifacts/<digest>/`: find, check, make, rename into place
"""
