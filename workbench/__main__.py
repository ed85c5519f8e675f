"""Starts what was asked for: a worker, or the command line, which also opens the window."""

import sys


def main() -> int:
    """Run the program; returns the exit code."""
    if sys.argv[1:2] == ["--worker"]:
        from workbench.inference import worker  # a worker loads nothing of the rest

        return worker.main()
    from workbench import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
