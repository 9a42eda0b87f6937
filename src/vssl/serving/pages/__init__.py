"""The page for people: what waits for a verdict, what was decided, figures, thresholds, a map; in two languages.

`routes` has the addresses, `texts` every word, `templates/` the pages. A newcomer adds a page as a template, its route,
and its words in both languages.
"""
