"""The name under which notebooks of earlier versions import `continued`."""

from analysis.forward.generation import continued

__all__ = ["continued"]
