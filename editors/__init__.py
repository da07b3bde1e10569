"""The floor that changes a model: keys, targets, closed-form updates and the stack of edits."""
