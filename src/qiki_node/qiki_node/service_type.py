"""The type of a service class, such as `std_srvs.srv.Trigger`, for functions that take any of them."""

from typing import Protocol, TypeVar

Q_contra = TypeVar("Q_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class ServiceType(Protocol[Q_contra, R_co]):
    """`def call(kind: ServiceType[Q, R], request: Q) -> R` fits each request to its service and knows the response."""

    @staticmethod
    def _answer(request: Q_contra, /) -> R_co:
        """In the messages' stubs only (workspace/message_stubs.py); nothing calls it."""
        ...


class Answer(Protocol):
    """A response with the outcome of the request, and the reason of a refusal."""

    success: bool
    message: str
