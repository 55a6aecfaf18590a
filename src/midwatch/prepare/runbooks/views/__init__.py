"""The pages of runbooks and of their executions."""
