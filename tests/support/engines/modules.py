"""Programs of `deploy/` that are copied out of it: loaded as they are, with their way to the network bent."""

import importlib.util
import io
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from types import ModuleType, SimpleNamespace

from serve_parts import Reply

from engines.files import DEPLOY
from engines.line import Unreachable

Answer = Callable[[urllib.request.Request], Reply]


def loaded(path: str, answer: Answer, environ: dict[str, str]) -> ModuleType:
    """Return a module whose requests `answer` answers, and whose environment is this."""
    spec = importlib.util.spec_from_file_location(path.removesuffix(".py").replace("/", "_"), DEPLOY / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert 0 < timeout <= 30
        try:
            reply = answer(request)
        except Unreachable as error:
            raise urllib.error.URLError(str(error)) from error
        if reply.status >= 400:
            raise urllib.error.HTTPError(request.full_url, reply.status, "", Message(), None)
        return io.BytesIO(reply.body)

    request_module = SimpleNamespace(Request=urllib.request.Request, urlopen=urlopen)
    vars(module).update(
        urllib=SimpleNamespace(request=request_module, error=urllib.error, parse=urllib.parse),
        os=SimpleNamespace(environ=environ),
    )
    return module
