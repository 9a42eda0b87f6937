"""Time, memory and size: training, reading data, exports, and the service.

A newcomer measures in a process of its own, in turns with what it is compared with.
"""
