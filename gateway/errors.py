"""Errors of the gateway: one table from code to HTTP status and words, answered as problem+json.

GatewayError          root; ``code`` names the line of the table
└── Problem           raised by routes; nothing else carries an HTTP status
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger("doudi.gateway")


class Line(NamedTuple):
    """What a code means to people: status, title, and what to do."""

    status: int
    title: str
    mend: str


TABLE: dict[str, Line] = {
    "bad_credentials": Line(
        401,
        "用户名或密码不正确｜Wrong user name or password",
        "重新输入，或请管理员重置密码｜Try again, or have the password reset",
    ),
    "not_signed_in": Line(
        401, "未登录或登录已过期｜Not signed in, or the sign-in has expired", "重新登录｜Sign in again"
    ),
    "too_many_attempts": Line(
        429, "登录失败次数过多｜Too many failed sign-ins", "15分钟后再试｜Try again in 15 minutes"
    ),
    "forbidden": Line(
        403,
        "无权进行此操作｜Not allowed for this user",
        "请有权限的人员办理｜Ask somebody whose role and division allow it",
    ),
    "not_found": Line(
        404,
        "不存在或不在您的范围内｜Does not exist, or lies outside your scope",
        "核对编号｜Check the number",
    ),
    "no_identity": Line(
        404,
        "没有该对象的身份信息｜No identity is on record for this subject",
        "通过来源部门核实｜Ask the department that the record came from",
    ),
    "bad_request": Line(
        422, "请求内容不正确｜The request is not right", "按接口文档修改｜Correct it by the API documentation"
    ),
    "key_required": Line(
        428,
        "缺少 Idempotency-Key 或 If-Match｜Idempotency-Key or If-Match is missing",
        "带上两个请求头｜Send both headers",
    ),
    "too_large": Line(413, "请求内容过大｜The request is too large", "缩小后再发｜Send less"),
    "version_conflict": Line(
        409,
        "该事项已被他人更新｜Somebody has changed the case meanwhile",
        "刷新后再处理｜Load it again, then act",
    ),
    "held": Line(
        409,
        "该事项待县级复核放行｜The case is held for the county's review",
        "请县级民政放行后再签收｜Have the county release it, then sign",
    ),
    "not_held": Line(
        409, "该事项不在待复核清单中｜The case is not held for review", "无需放行｜Nothing is to be released"
    ),
    "already_closed": Line(409, "该事项已办结｜The case is closed already", "无需再处理｜Nothing is left to do"),
    "already_signed": Line(409, "该事项已签收｜The case is signed already", "直接核查办理｜Go on with the check"),
    "out_of_scope": Line(
        403,
        "该事项不在您的范围内｜The case is outside your scope",
        "请所属地区或部门办理｜Ask the division or department it belongs to",
    ),
    "bad_outcome": Line(
        422,
        "办理结果代码不正确｜The outcome code is not one of this kind of case",
        "从 outcomes 中选择｜Choose one of the case's outcomes",
    ),
    "bad_command": Line(
        422, "不支持的操作｜No such command", "使用 sign、close 或 release｜Use sign, close or release"
    ),
    "unknown_case": Line(404, "事项不存在｜There is no such case", "核对编号｜Check the number"),
    "key_reused": Line(
        409,
        "Idempotency-Key 已用于其他请求｜This Idempotency-Key was used for another request",
        "换一个新的｜Use a new one",
    ),
    "no_authorisation": Line(
        422,
        "没有授权，不得核对｜No check without an authorisation",
        "填写家庭核对授权书编号｜Give the number of the household's authorisation on file",
    ),
    "bad_authorisation": Line(
        422,
        "授权书编号不正确｜This is not the number of an authorisation",
        "只用字母、数字、._-，最多32位，不得填写证件号码或电话｜"
        "Letters, digits and ._- only, 32 at most; never an ID or telephone number",
    ),
    "sheet_incomplete": Line(
        422,
        "收入尚未填全，不能保存｜Income is not filled in completely, so the sheet cannot be saved",
        "填写每名成员的收入，确无收入的勾选“无收入”｜Fill in each member's income, or say that there is none",
    ),
    "sheet_conflict": Line(
        409,
        "该授权的核算表已被他人保存｜Somebody has saved a sheet under this authorisation meanwhile",
        "核对后按新版本更正｜Look at it, then correct the version that stands",
    ),
    "unavailable": Line(
        503,
        "服务暂时不可用｜Not available just now",
        "稍后用同一 Idempotency-Key 重试｜Try again in a while, with the same Idempotency-Key",
    ),
    "unanswerable": Line(
        422,
        "该问题无法回答｜This question has no answer",
        "按说明修改后再问｜Ask otherwise, as the detail says",
    ),
    "no_answer": Line(
        504,
        "未在时限内得到回答｜No answer came in time",
        "稍后再问；若仍无回答，请管理员查看工作进程｜Ask again in a while; then have the worker looked at",
    ),
    "method_not_allowed": Line(
        405,
        "不支持该方法｜This method is not allowed here",
        "按接口文档修改｜Correct it by the API documentation",
    ),
    "internal": Line(500, "内部错误｜Internal error", "请联系管理员查看日志｜Have the log looked at"),
}
_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    401: "not_signed_in",
    403: "forbidden",
}


class GatewayError(Exception):
    """Root of the layer."""

    code = "internal"


class Problem(GatewayError):
    """An answer that is not the one asked for. ``detail`` must be free of personal data."""

    def __init__(self, code: str, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or TABLE[code].title)
        self.code, self.detail, self.headers = code, detail, headers


def answer(code: str, detail: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem document of a code."""
    line = TABLE[code]
    body = {
        "type": f"urn:doudi:problem:{code}",
        "title": line.title,
        "status": line.status,
        "code": code,
        "detail": detail or line.title,
        "mend": line.mend,
    }
    return JSONResponse(body, line.status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error as a problem."""

    async def problem(_: Request, error: Any) -> JSONResponse:
        return answer(error.code, error.detail, error.headers)

    async def invalid(_: Request, error: Any) -> JSONResponse:
        # Where and what, never the value: it may be a person's.
        parts = [f"{'.'.join(str(x) for x in e['loc'])}: {e['type']}" for e in error.errors()[:5]]
        if any(p.lower().startswith(("header.idempotency-key", "header.if-match")) for p in parts):
            return answer("key_required", "; ".join(parts))
        return answer("bad_request", "; ".join(parts))

    async def plain(_: Request, error: Any) -> JSONResponse:
        return answer(_BY_STATUS.get(error.status_code, "bad_request"), headers=error.headers)

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        route = request.scope.get("route")
        log.error("%s %s failed", request.method, getattr(route, "path", "?"), exc_info=error)
        return answer("internal")

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unforeseen)
