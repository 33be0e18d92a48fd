"""Callbacks for secrets, and the methods of a program's own store: each question is answered on a thread of
its own, and what is returned to be awaited is awaited on the session's event loop, or on a new one where
there is none."""

from __future__ import annotations

from contextvars import ContextVar, copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable
    from typing import Any, Callable, NoReturn, Optional, Union
    from weakref import ReferenceType

    from . import _native as native

    #: Gives a secret when a login needs it, or ``None`` when nobody is there to give it.
    Ask = Callable[[], Union[Optional[str], Awaitable[Optional[str]]]]

__all__ = ["Asked", "Callbacks", "asking"]

# A Python thread, and not one of the native module's: the interpreter may exit while a callback waits for a
# person, and a thread in whose stack there is nothing but Python's own code ends then without harm.

_question: ContextVar[Optional[native.Prompt]] = ContextVar("preopen_question", default=None)

#: The question that the code which runs here answers, if it does: a session whose own login waits for the
#: answer must not be asked for a token. It follows the callback into its tasks, as context variables do.
asking = _question.get

#: Seconds between two looks at the event loop, and how many looks it may stand still.
_LOOK = 0.1
_LOOKS = 10


class Asked:
    """The callbacks of credentials, by field. They are not shown: they may hold what they return, as a
    `functools.partial` does, and show it."""

    __slots__ = ("_by_field",)

    def __init__(self, **by_field: object) -> None:
        try:
            self._by_field: dict[str, Ask] = {
                name: _unseen(ask) for name, ask in by_field.items() if callable(ask)
            }
        finally:
            del by_field

    def __repr__(self) -> str:
        return f"Asked({', '.join(self._by_field)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("callbacks cannot be pickled or copied")


def _unseen(ask: Callable[[], Any]) -> Ask:
    """The same callback, whose ``repr`` is nobody's."""
    return lambda: ask()


def _hidden(thing: object) -> Callable[[], object]:
    """A thing behind something that does not show it: a store may hold a password, and show it."""
    return lambda: thing


class Callbacks:
    """The callbacks of one session and its own store, and the event loop that it was used on last."""

    __slots__ = ("__weakref__", "_asked", "_loop", "_store")

    def __init__(self, asked: Optional[Asked], store: object = None) -> None:
        # Before Python 3.12 the thread that imports this first is taken for the main one, and must not be one
        # of the native module's.
        import threading  # noqa: F401

        try:
            self._asked = asked
            self._store = _hidden(store)
            self._loop: Optional[ReferenceType[AbstractEventLoop]] = None
        finally:
            del store

    def __repr__(self) -> str:
        return repr(self._asked)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("callbacks cannot be pickled or copied")

    def use(self, loop: AbstractEventLoop) -> None:
        """The session is used on this loop."""
        from weakref import ref

        if self._loop is None or self._loop() is not loop:
            self._loop = ref(loop)

    def ask(self, prompt: native.Prompt) -> None:
        """Has the callback called; the native module calls this, and must not wait for a person."""
        if self._asked is not None:
            context = copy_context()
            context.run(_question.set, prompt)
            self._start(context.run, self._asked._by_field[prompt.field], prompt)

    def call(self, call: native.StoreCall, claim: object) -> None:
        """Has a method of the store, or of its claim, called; the native module calls this."""
        target = self._store() if claim is None else claim
        self._start(copy_context().run, lambda: _method(target, call), call)

    def _start(
        self,
        run: Callable[..., object],
        ask: Callable[[], Any],
        question: Union[native.Prompt, native.StoreCall],
    ) -> None:
        from threading import Thread

        loop = None if self._loop is None else self._loop()
        arguments = (_answer, ask, question, loop)
        thread = Thread(target=run, args=arguments, name="preopen callback", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # An exit handler logs in: no thread starts any more, and this one has nothing else to do.
            run(*arguments)


def _method(target: object, call: native.StoreCall) -> Any:
    method = getattr(target, call.method)
    return method() if call.argument is None else method(call.argument)


def _answer(
    ask: Callable[[], Any], prompt: Union[native.Prompt, native.StoreCall], loop: Optional[AbstractEventLoop]
) -> None:
    answer = None
    try:
        answer = ask()
        if hasattr(type(answer), "__await__"):
            _await(answer, prompt, loop)
        else:
            prompt.give(answer)
    except BaseException as error:  # Whatever it is, it ends this question and no more.
        prompt.failed(f"raised {type(error).__name__}")
    finally:
        del ask, answer


async def _awaited(answer: Awaitable[Any], prompt: Union[native.Prompt, native.StoreCall]) -> None:
    # The answer is not returned: event loops in debug mode log what tasks return.
    try:
        prompt.give(await answer)
    except BaseException as error:  # SystemExit and its like would end a loop that is not ours.
        prompt.failed(f"raised {type(error).__name__}")


def _await(
    answer: Awaitable[Any],
    prompt: Union[native.Prompt, native.StoreCall],
    loop: Optional[AbstractEventLoop],
) -> None:
    import asyncio

    if loop is None or not loop.is_running():
        asyncio.run(_awaited(answer, prompt))
        return
    awaited = _awaited(answer, prompt)
    future = asyncio.run_coroutine_threadsafe(awaited, loop)
    from concurrent.futures import wait

    still = 0
    while not wait([future], _LOOK).done and still < _LOOKS:
        still = 0 if loop.is_running() else still + 1
    if future.done():
        return
    prompt.failed("was left by its event loop, which stands still")
    if loop.is_closed():
        # It was never begun; ending it here says so to nobody.
        awaited.close()
        close: Any = getattr(answer, "close", None)
        if close is not None:
            close()
    else:
        future.cancel()
