"""The pytest plugin under a name of this package. It lives in `preopen_pytest`, so that pytest can load it
without loading Preopen."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preopen_pytest import MARKET_OPEN, SandboxFactory, preopen_sandbox, preopen_sandbox_factory

__all__ = ["MARKET_OPEN", "SandboxFactory", "preopen_sandbox", "preopen_sandbox_factory"]

#: So that ``-p preopen.pytest_plugin`` loads all of it where plugins are not found by themselves.
pytest_plugins: "list[str]" = ["preopen_pytest"]


def __getattr__(name: str) -> object:
    # Not imported above: pytest wants to load it first.
    if name in __all__:
        import preopen_pytest

        return getattr(preopen_pytest, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
