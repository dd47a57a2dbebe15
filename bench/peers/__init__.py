"""One model, one data set, five designs: every module here fits the same posterior, each in a process of its own.

`problem` states data, priors and what a design hands back; the others are designs, written as their users would.
"""
