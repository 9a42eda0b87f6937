"""From a trained model and data to a stored table of embeddings, one row per sample.

A newcomer adds a column in `embed`, and names it in `Embeddings.COLUMNS`.
"""
