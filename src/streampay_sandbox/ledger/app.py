"""The ledger on HTTP: JSON-RPC by POST at `/` and `/rpc`, friendbot at `/friendbot`, faults in front of both."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streampay_sandbox.ledger.faults import FRIENDBOT, RPC, WireCall
from streampay_sandbox.ledger.friendbot import Friendbot
from streampay_sandbox.ledger.node import Node
from streampay_sandbox.ledger.parameters import INVALID_PARAMS, INVALID_REQUEST, RpcError
from streampay_sandbox.ledger.rpc import Rpc

MAX_BODY_BYTES: Final = 512 * 1024


def build_app(node: Node, rpc: Rpc, friendbot: Friendbot) -> Starlette:
    """Return the application that serves a node."""

    def interfered(to: str) -> Response | None:
        answer = node.interference.wire(WireCall(to=to, stopping=node.stopping))
        if answer is None:
            return None
        headers = dict(answer.headers)
        if answer.content_type:
            headers["content-type"] = answer.content_type
        return Response(answer.body, status_code=answer.status, headers=headers)

    def answer_rpc(body: bytes) -> Response:
        return interfered(RPC) or _answer(rpc, body)

    async def serve_rpc(request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            return PlainTextResponse("request body too large", status_code=413)
        return await run_in_threadpool(answer_rpc, body)

    def answer_friendbot(address: str) -> Response:
        answered = interfered(FRIENDBOT)
        if answered is not None:
            return answered
        answer = friendbot.fund(address)
        media_type = "application/json" if answer.status == 200 else "application/problem+json"
        return JSONResponse(answer.body, status_code=answer.status, media_type=media_type)

    async def serve_friendbot(request: Request) -> Response:
        address = request.query_params.get("addr")
        if address is None and request.method == "POST":
            address = parse_qs((await request.body()).decode("latin-1")).get("addr", [""])[0]
        return await run_in_threadpool(answer_friendbot, address or "")

    return Starlette(
        routes=[
            Route("/", serve_rpc, methods=["POST"]),
            Route("/rpc", serve_rpc, methods=["POST"]),
            Route("/friendbot", serve_friendbot, methods=["GET", "POST"]),
        ]
    )


def _answer(rpc: Rpc, body: bytes) -> Response:
    try:
        request = json.loads(body)
    except ValueError:
        return PlainTextResponse("[-32700] invalid request value", status_code=500)
    if isinstance(request, list):
        if rpc.most_calls_in_batch is not None and len(request) > rpc.most_calls_in_batch:
            too_many = f"batch of {len(request)} calls exceeds the limit of {rpc.most_calls_in_batch}"
            return JSONResponse(_error(None, RpcError(INVALID_REQUEST, too_many)))
        return JSONResponse([_one(rpc, item) for item in request])
    return JSONResponse(_one(rpc, request))


def _one(rpc: Rpc, request: Any) -> Mapping[str, Any]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _error(None, RpcError(INVALID_REQUEST, "invalid request"))
    parameters = request.get("params")
    try:
        if parameters is not None and not isinstance(parameters, dict):
            raise RpcError(INVALID_PARAMS, "parameters are given by name, not by position")
        result = rpc.call(request["method"], parameters or {})
    except RpcError as error:
        return _error(request.get("id"), error)
    return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}


def _error(request_id: Any, error: RpcError) -> Mapping[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": error.code, "message": error.message}}
