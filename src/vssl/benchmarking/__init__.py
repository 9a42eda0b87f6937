"""Comparisons under equal conditions, and recipes: settings with a claim that anybody can check.

A newcomer adds a recipe as one function in `recipes`, or a measurement of every run to `trial`.
"""
