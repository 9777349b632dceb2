"""
The release before this one: its code, and the rows and messages it left behind. A deploy happens with messages in flight,
containers of both releases at work on the same tables and queues, and a way back.

- `release.tar.xz` is what git archives of its functions, package and template; `git get-tar-commit-id` says of which commit.
- `recorded.json` is what its functions wrote in each of the scenes of `scenes.py`; it names the commit, too.

Both are read by tests/test_previous_release.py and, the code alone, by tests/play. A clean clone has them without history.

When a release is made, it takes the place of the one before: `make previous RELEASE=v1.2.0`. What the new one names or counts
otherwise than the code of now stands in `release.page_of` alone.
"""
