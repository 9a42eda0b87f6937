"""A first result in minutes, on made-up data whose truth is known: `tour` runs all steps for one kind of data.

A newcomer adds a module `demo` to the folder of a modality: it says what `vssl.modalities.demo.Demo` holds.
"""
