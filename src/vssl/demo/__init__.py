"""A first result in minutes, on made-up pictures of an inspection line whose truth is known.

A newcomer adds here a generator of another kind of data, and the words for what was found in it.
"""
