"""What the benchmarks share: the format of a record, the scores, the training, and comparison methods in `rivals`.

A newcomer adds here only what two scripts need.
"""
