"""Pages that are open hear at once that something changed: `GET /live?topic=incident:42`, as server-sent events.

`streams` keeps them open beside the thread pool that runs Django, `follower` reads what changed once for all of them, and
`views` is the same address as a plain page: it decides who may follow what, and answers those who poll.
"""
