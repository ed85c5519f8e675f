"""Medical Safety Workbench: evaluates language models offline for harmful medical answers."""

__version__ = "0.1.0"
