"""From a diff to findings. Knows no forge and no web server; all of it works from the command line.

Begin with `pipeline`, which reviews one diff from top to bottom. What it needs from outside is in `ports`, as
Protocols. `core` is pure: it reads diffs, cuts chunks, writes prompts, scans streamed answers, and decides
which findings stand and where. `context` shows each hunk what encloses it, which `definitions` reads in a
process of its own. `claude` and `analyzers` are engines, `store` is PostgreSQL; they never meet. `wiring`
turns `settings` into an engine and its limits. `local` holds ports for a process without a database, `git`
reads diffs and files from a repository on disk or a server, `formats` tells a review as text, JSON, SARIF or
SSE, and `cli` is the commands. Every error is in `errors`.
"""
