"""How good embeddings, scores and templates are, beside comparison methods.

A newcomer adds one script per question; comparisons of training methods belong to `vssl bench`.
"""
