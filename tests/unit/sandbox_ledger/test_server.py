import asyncio
import signal
import socket
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from waits import HANG_SECONDS, Stopwatch

from streampay_sandbox.server import LoopbackServer
from streampay_smoke.core.errors import SettingsInvalid, SmokeError


def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


def broken(_: Request) -> Response:
    raise ValueError("the double itself is wrong")


APP = Starlette(routes=[Route("/", hello), Route("/broken", broken)])


def test_it_serves_on_loopback_from_start_to_stop() -> None:
    with LoopbackServer(APP) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert httpx.get(server.url).text == "hello"
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_an_exception_of_the_application_is_a_500_and_is_kept() -> None:
    with LoopbackServer(APP) as server:
        assert httpx.get(f"{server.url}/broken").status_code == 500
    # The client is answered before the error is noted: only a server that ended has noted all.
    assert [str(error) for error in server.errors] == ["the double itself is wrong"]


def test_a_taken_port_is_a_setting_to_change() -> None:
    with LoopbackServer(APP) as server, pytest.raises(SettingsInvalid, match="cannot listen"):
        LoopbackServer(APP, server.port).start()


def test_it_starts_only_once_and_may_be_stopped_twice() -> None:
    server = LoopbackServer(APP).start()
    with pytest.raises(SmokeError, match="already started"):
        server.start()
    server.stop()
    server.stop()


def test_stopping_before_starting_does_nothing() -> None:
    LoopbackServer(APP).stop()


def test_keep_alive_connections_and_hanging_answers_do_not_delay_the_stop() -> None:
    stopping, reached = threading.Event(), threading.Event()

    def hang(_: Request) -> Response:
        reached.set()
        stopping.wait(HANG_SECONDS)
        return PlainTextResponse("late")

    server = LoopbackServer(Starlette(routes=[Route("/", hello), Route("/hang", hang)]), stopping=stopping).start()
    with httpx.Client() as client:
        client.get(server.url)
        answers: list[str] = []
        waiting = threading.Thread(
            target=lambda: answers.append(httpx.get(f"{server.url}/hang", timeout=HANG_SECONDS).text)
        )
        waiting.start()
        assert reached.wait(HANG_SECONDS)
        server.stop()
        waiting.join()
        assert answers == ["late"], "it was told that the server stops"


def test_an_answer_that_never_comes_is_cut_off_after_the_grace_time() -> None:
    reached = threading.Event()

    async def never(_: object, receive: object, send: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    server = LoopbackServer(never, grace_seconds=0.05).start()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert reached.wait(HANG_SECONDS)
        server.stop()  # comes back, though the answer never will


def test_signals_keep_their_handlers_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with LoopbackServer(APP) as server:
        httpx.get(f"{server.url}/broken")
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert capfd.readouterr() == ("", "")


def test_answers_are_not_held_back_by_nagle() -> None:
    with LoopbackServer(APP) as server, httpx.Client() as client:
        client.get(server.url)
        laps = []
        with Stopwatch() as watch:
            for _ in range(20):
                before = time.monotonic()
                client.get(server.url)
                laps.append(time.monotonic() - before)
        assert sorted(laps)[5] < watch.allows(0.03)  # 0.04 s each with delayed acknowledgements
