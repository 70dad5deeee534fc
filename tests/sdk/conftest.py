"""What the SDK's tests share; see `sdk_house`."""

from sdk_house import house, task

__all__ = ["house", "task"]
