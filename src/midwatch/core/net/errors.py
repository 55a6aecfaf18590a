"""What can go wrong at the door, in sentences that hold no secret."""

from __future__ import annotations


class NetError(Exception):
    """Nobody answered, or not in time. The text names at most host and port of the address."""

    permanent: bool = False

    def __init__(self, message: str = "", *, may_have_arrived: bool = False) -> None:
        """`may_have_arrived`: the request had gone, so that the other side may have done what it asks."""
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class AddressRefused(NetError):  # noqa: N818 - says what happened
    """The address may not be named by somebody without the configuration's trust. Trying again changes nothing."""

    permanent = True


class SmtpRefused(NetError):  # noqa: N818 - says what happened
    """A mail relay said no. `permanent`: a 5xx about this message; `code`: the relay's number, 0 when it has none."""

    def __init__(self, message: str, *, permanent: bool, code: int = 0) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.code = code
