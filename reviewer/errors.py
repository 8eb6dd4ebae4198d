"""Every error Sluice raises on purpose.

::

    SluiceError
    ├── BadInput                     final: a person must change something
    │   ├── NotADiff                 the text holds no unified diff
    │   ├── BrokenDiff               it does, but it is cut off or contradicts itself
    │   ├── UnsupportedDiff          a kind of diff that has no single old and new side
    │   ├── DiffTooLarge             over the size limit
    │   ├── BadRange                 git does not know the range, or this is no repository
    │   └── BadSettings              environment or .env
    ├── EngineError                  the model or an analyzer did not deliver
    │   ├── EngineUnavailable        retryable: rate limit, connection, time-out
    │   │   ├── EngineOverloaded     retryable: the provider has too much to do
    │   │   └── EnginePaused         retryable: it failed so often that it is left alone for a while
    │   ├── StreamCut                retryable: the answer ended before its end
    │   ├── EngineMisconfigured      final: key, model name, or request refused
    │   ├── PromptTooLarge           final: does not fit the model's context window
    │   ├── SpendLimitReached        final: the provider's own spending cap
    │   ├── OverBudget               final: a cap of ours would be exceeded
    │   ├── EngineRefused            final: the model declined to answer
    │   ├── AnswerUnfinished         final: no room was enough for the whole answer
    │   └── NotReported              final: the model wrote text, and reported nothing
    ├── ForgeError                   GitHub did not do what was asked
    │   ├── ForgeUnavailable         retryable: 5xx, connection, time-out
    │   ├── ForgeRateLimited         retryable: after `retry_after` seconds
    │   └── ForgeRefused             final: any other 4xx
    │       ├── InstallationLost     final: the app is uninstalled or suspended there
    │       └── LoginRefused         final: somebody is not let in; it stands where people log in
    ├── BadDelivery                  a webhook that is not GitHub's, or not well formed
    │   ├── BadSignature             unsigned or wrongly signed
    │   ├── BodyTooLarge             over GitHub's own cap
    │   └── BadPayload               signed, but not a payload
    ├── GitFailed                    retryable: git can't be started, failed or took too long
    └── StoreUnavailable             retryable: the database can't be reached

Whether trying again can help is a property of the class, `retryable`.
Errors of other libraries are translated into these where they enter, once.
"""

from __future__ import annotations


class SluiceError(Exception):
    """Root of the tree; `str()` of it is a sentence for a person."""

    retryable: bool = False


class BadInput(SluiceError):
    """What was handed in can't be used as it is."""


class NotADiff(BadInput):
    """The text holds no unified diff."""


class BrokenDiff(BadInput):
    """The diff is cut off, or a hunk header lies about its lines."""


class UnsupportedDiff(BadInput):
    """A combined, coloured or otherwise transformed diff."""


class DiffTooLarge(BadInput):
    """The diff is over the size limit."""


class BadRange(BadInput):
    """git does not know the range, or the folder is no repository."""


class BadSettings(BadInput):
    """One or more settings are missing or wrong; the message lists every one."""


class EngineError(SluiceError):
    """An engine could not review a batch."""


class EngineUnavailable(EngineError):
    """Overloaded, rate limited or out of reach.

    Attributes:
        retry_after: seconds the server asked to wait, or None.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineOverloaded(EngineUnavailable):
    """The provider says that it has too much to do: another model may have less."""


class EnginePaused(EngineUnavailable):
    """Not asked at all: it failed so often that it is left alone for `retry_after` seconds."""


class StreamCut(EngineError):
    """The stream ended, or stood still, before the message was complete."""

    retryable = True


class EngineMisconfigured(EngineError):
    """The provider refuses the key, the model's name or the request."""


class PromptTooLarge(EngineError):
    """The prompt and an answer do not fit the model's context window."""


class SpendLimitReached(EngineError):
    """The provider's spending cap is reached; waiting does not help."""


class OverBudget(EngineError):
    """A cap of ours would be exceeded.

    Attributes:
        scope: what the cap bounds, in words for people.
    """

    def __init__(self, message: str, *, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class EngineRefused(EngineError):
    """The model declined to review this text."""


class AnswerUnfinished(EngineError):
    """However small the text and large the room, the answer did not come to its end."""


class NotReported(EngineError):
    """The model answered in words and reported nothing, not even that there is nothing."""


class ForgeError(SluiceError):
    """GitHub did not do what was asked.

    Attributes:
        status: the HTTP status, or None when no answer came.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ForgeUnavailable(ForgeError):
    """No answer, or a 5xx."""

    retryable = True


class ForgeRateLimited(ForgeError):
    """A primary or secondary limit.

    Attributes:
        retry_after: seconds to wait before the next request.
    """

    retryable = True

    def __init__(self, message: str, *, status: int, retry_after: float) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class ForgeRefused(ForgeError):
    """A 4xx that the same request would meet again.

    Attributes:
        code: the first error's `code` in GitHub's answer, such as `too_large`, or None.
        details: GitHub's own error texts.
    """

    def __init__(
        self, message: str, *, status: int, code: str | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, status=status)
        self.code = code
        self.details = details


class InstallationLost(ForgeRefused):
    """The app has no way to the account any more: uninstalled, or suspended."""


class BadDelivery(SluiceError):
    """A webhook call that is refused; `status` is the HTTP answer it gets."""

    status = 400


class BadSignature(BadDelivery):
    """The signature is absent or wrong."""

    status = 401


class BodyTooLarge(BadDelivery):
    """The body is over GitHub's own cap for deliveries."""

    status = 413


class BadPayload(BadDelivery):
    """The body is not the JSON that its event promises."""


class GitFailed(SluiceError):
    """git, run on our own behalf, can't be started, failed or took too long; its words are in the message."""

    retryable = True


class StoreUnavailable(SluiceError):
    """The database can't be reached."""

    retryable = True
