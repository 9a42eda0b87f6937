"""The report: one self-contained HTML page about a run, for the person who decides whether to use the encoder.

A newcomer adds a section: a file that turns data into what is shown, and a `<section>` in `page.html.jinja`.
"""
