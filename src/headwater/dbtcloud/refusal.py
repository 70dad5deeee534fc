"""What an answer other than success means, in words."""

from __future__ import annotations

from urllib.parse import urlsplit

from headwater.dbtcloud.envelope import is_web_page, read_message
from headwater.dbtcloud.transport import Answer
from headwater.errors import (
    AccessDenied,
    AnswerUnreadable,
    DbtCloudError,
    NotVisible,
    RateLimited,
    ServerFault,
    TokenRejected,
)
from headwater.model.account import AccountAddress


def explain_refusal(answer: Answer, address: AccountAddress, path: str) -> DbtCloudError:
    """Give the error that an answer outside 2xx means, with what dbt Cloud says itself."""
    host = urlsplit(address.origin).netloc
    said = read_message(answer.body)
    quoted = f" It says: {said}{'' if said.endswith(('.', '!', '?')) else '.'}" if said else ""
    status = answer.status
    if 300 <= status < 400:
        return _elsewhere(answer, host)
    if status == 401:
        return TokenRejected(
            f"{host} does not accept the token (401).{quoted}",
            hint="Is it complete, still valid, and made on this host? A token works only in the region it comes from.",
            status=status,
        )
    if status == 403:
        return _denied(answer, host, quoted)
    if status in {404, 410} and is_web_page(answer.body):
        return AnswerUnreadable(
            f"{host} answered {status} with a web page: it does not look like dbt Cloud.",
            hint="Is the account URL the one that dbt Cloud shows in the account settings?", status=status,
        )  # fmt: skip
    if status in {404, 410}:
        return NotVisible(
            f"{host} has no {path}, or the token may not see it.", hint="Are account id and permissions right?",
            status=status,
        )  # fmt: skip
    if status == 429:
        return RateLimited(f"{host} was asked too often (429).", hint="It allows 5,000 requests a minute an account.")
    if status >= 500 or status == 408:
        page = " It answered with a web page." if is_web_page(answer.body) else quoted
        return ServerFault(f"{host} is in trouble ({status}).{page}", hint="See status.getdbt.com.", status=status)
    return DbtCloudError(f"{host} refuses the request for {path} ({status}).{quoted}", status=status)


def _denied(answer: Answer, host: str, quoted: str) -> AccessDenied:
    if b'"account_access_denied"' in answer.body:
        return AccessDenied(
            f"{host} lets nobody in from this address (403).{quoted}",
            hint="The account has an IP allow-list: let an administrator add the address this server is seen with.",
            status=403,
        )
    if is_web_page(answer.body):
        return AccessDenied(
            f"{host} answered 403 with a web page: something between here and dbt Cloud refuses.",
            hint="Ask who runs the proxy or the firewall.",
            status=403,
        )
    return AccessDenied(
        f"{host} denies it to this token (403).{quoted}",
        hint="Either the token lacks a permission or an IP allow-list keeps this server out.",
        status=403,
    )


def _elsewhere(answer: Answer, host: str) -> AnswerUnreadable:
    try:
        target = urlsplit(answer.headers.get("location", ""))
        other = f"{target.scheme}://{target.hostname}" if target.scheme == "https" and target.hostname else ""
    except ValueError:
        other = ""
    is_other = bool(other) and other.isprintable() and other != f"https://{host}"
    return AnswerUnreadable(
        f"{host} sends us elsewhere ({answer.status}){f', to {other}' if is_other else ''}. "
        "The token is sent only to the address it was entered for.",
        hint="If that is where your account lives, connect it with that URL." if is_other else "Is the URL right?",
        status=answer.status,
    )
