"""Starts what was asked for: a worker, the window, or a command. Each loads nothing of the others."""

import sys

EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the program; returns the exit code."""
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted. Everything stored so far is safe.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--worker"]:
        from workbench.inference import worker

        return worker.main()
    if not arguments:
        from workbench.cli import window

        return window.main()
    from workbench.cli import main as command_line

    return command_line.main()


if __name__ == "__main__":
    sys.exit(main())
