"""Reviews without a model: ruff and bandit on Python files, detect-secrets on every added line.

`engine` is what the pipeline sees. Each analyzer has a module that runs it and holds the table of what its
rules mean to a reader; all of them give `sighting.Sighting`. What a pull request brings is never run, and its
paths never name a file on this machine: `workspace` numbers them.
"""
