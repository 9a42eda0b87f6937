"""Comparisons under equal conditions, and recipes: settings with a claim that anybody can check.

A newcomer adds a recipe as one function in `recipes`, whose docstring holds the command, the time and the score.
"""
