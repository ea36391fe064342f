"""Floor 6: the systems, a folder each; none imports another.

They lie below this folder, not beside `app`, so that `keyweave.inbetween(...)` can be a plain function.
"""
