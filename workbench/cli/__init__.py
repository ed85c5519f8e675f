"""The command line: the same use cases as the window, results on standard output, progress on standard error.

Exit codes: 0 done, 1 something failed, 2 wrong use, 130 interrupted.
"""
