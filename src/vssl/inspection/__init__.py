"""What `vssl inspect` decides for a person with two folders: settings, the division of the good samples, the guarantee.

The verb itself is `vssl.api.inspection`; it calls the other verbs with the arguments that are chosen here.
A newcomer adds a rule to `choose`.
"""
