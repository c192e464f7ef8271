"""What a dispatcher hands to a carrier with a batch, for carriers that are tried without one."""

from collections.abc import Callable, Sequence

from homing.model import Answer, Outbound


def unmarked(_messages: Sequence[Outbound]) -> None:
    """What leaves is not written down."""


def first_answers(answers: dict[int, Answer]) -> Callable[[Outbound, Answer], None]:
    """Puts the first answer for each message into `answers`, by message id."""

    def keep(message: Outbound, answer: Answer) -> None:
        answers.setdefault(message.message_id, answer)

    return keep
