from executor_world import does

__all__ = ["does"]
