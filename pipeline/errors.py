"""The one kind of error that a user is meant to read."""


class UserError(ValueError):
    """A wrong input, said in one message: the value, the place, the allowed range and the remedy."""
