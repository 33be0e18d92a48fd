"""Samco's OAuth login on a web server: ``/login`` sends a person to the broker's page, which sends them back
to ``/callback``. The session and the begun logins are in a store, so that any pod may receive the callback.

    export PREOPEN_KEY=... SAMCO_API_KEY=... SAMCO_REDIRECT_URL=https://app.example/callback
    uvicorn --factory --no-access-log --app-dir examples oauth_fastapi:production

It needs the packages ``fastapi`` and ``uvicorn``. Put it behind your own sign-in, and https in front of it.
"""

import contextlib

import preopen

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import PlainTextResponse, RedirectResponse
except ImportError:
    raise SystemExit("this example needs the package fastapi: pip install fastapi uvicorn") from None

# No cookie is needed for the login to work: the state in the address proves that it was begun here, by any
# pod, and it is used once. It does not prove that it was begun in the same browser: whoever may open /login
# can begin one and have another person's browser end it, so that this server trades on the wrong account.
# Your own sign-in in front of both paths keeps strangers out. Among people who do not trust each other, set
# a cookie at /login (HttpOnly, Secure, SameSite=Lax) with a digest of the state, and compare it in /callback.

#: Addresses of the callback hold the login's code: no cache keeps them and no other site is told.
PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def create_app(session):
    """The web server of an `AsyncSession`."""

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with session:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.get("/login")
    async def login():
        start = await session.begin_login()
        return RedirectResponse(start.url, 303, headers=PRIVATE)

    @app.get("/callback")
    async def callback(request: Request):
        # The whole address: Preopen compares its path and state, and takes the code out of it.
        await session.complete_login(str(request.url))
        # The code leaves the address bar.
        return RedirectResponse("/", 303, headers=PRIVATE)

    @app.get("/")
    async def status():
        try:
            # Looks into the store, where another pod may have left a newer session. What this pod knows by
            # itself may be old.
            await session.token()
        except preopen.LoginRequiredError:
            return {"session": "nobody is logged in"}
        state = session.state()
        return {"session": state.name, "generation": state.generation, "expires_at": state.expires_at}

    @app.exception_handler(preopen.PreopenError)
    async def refused(request: Request, error: preopen.PreopenError):
        # A person must do something: begin again, or agree. Everything else is ours or the broker's. The
        # text holds no secret, whatever was in the address.
        personal = isinstance(error, (preopen.InvalidInputError, preopen.LoginRequiredError))
        return PlainTextResponse(str(error), 400 if personal else 503, headers=PRIVATE)

    return app


def production():
    # redis://... where the pods are on several hosts.
    return create_app(preopen.AsyncSession(preopen.SamcoOAuth.from_env(), store="file"))
