"""Serve Canaille, a real identity provider, on loopback with people, groups and one client, in its own environment.

The first argument is the redirect URI of the client. Prints its own address when it takes connections.
"""

from __future__ import annotations

import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend

PASSWORD = "the password at the provider"


class Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(redirect_uri: str) -> None:
    """Serve until killed."""
    server = make_server("127.0.0.1", 0, None, handler_class=Quiet)
    origin = f"http://127.0.0.1:{server.server_port}"
    config = {
        "SECRET_KEY": "of this test alone",
        "SERVER_NAME": f"127.0.0.1:{server.server_port}",
        "PREFERRED_URL_SCHEME": "http",
        "TIMEZONE": "UTC",
        "CANAILLE": {
            "DATABASE": "memory",
            "JAVASCRIPT": False,
            "HTMX": False,
            "ENABLE_INTRUDER_LOCKOUT": False,
            "PASSWORD_COMPROMISSION_CHECK_API_URL": "",
        },
        "CANAILLE_OIDC": {"REQUIRE_NONCE": True},
    }
    app = create_app(config)
    with app.app_context(), Backend.instance.session():
        users = {name: models.User(formatted_name=name.title(), family_name=name.title(), user_name=name,
                                   display_name=name, emails=[f"{name}@example.com"], password=PASSWORD)
                 for name in ("ada", "bob", "eve")}  # fmt: skip
        for user in users.values():
            Backend.instance.save(user)
        for group, member in (("data-platform", "ada"), ("everyone", "bob")):
            Backend.instance.save(models.Group(display_name=group, members=[users[member]]))
        client = models.Client(
            client_id="headwater",
            client_secret="a secret of the client & more",
            client_name="Headwater",
            client_uri="http://127.0.0.1",
            redirect_uris=[redirect_uri],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email", "groups"],
            token_endpoint_auth_method="client_secret_basic",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    server.set_app(app)
    print(origin, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
