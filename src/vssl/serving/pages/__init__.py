"""The pages for people: review queues, history, figures, thresholds and a map, in two languages.

`routes` has the addresses, `texts` all texts, `templates/` the pages. A newcomer adds a page as a template, its route
and its texts in both languages.
"""
