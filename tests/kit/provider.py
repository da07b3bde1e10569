"""A provider of logins (OIDC) on this machine, which says that everybody is who they are told to be."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "palimpsest", "not a secret"


class Provider:
    """Discovery, keys, authorisation and tokens; `user` holds the claims of the next who signs in."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.user: dict[str, Any] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.nonces: dict[str, str] = {}

    def answer(self, path: str, asked: dict[str, str]) -> dict[str, Any] | str:
        """JSON, or an address to go on to."""
        if path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            return {"issuer": self.url, "id_token_signing_alg_values_supported": ["RS256"]} | {
                name: f"{self.url}/{end}" for name, end in ends.items()
            }
        if path == "/keys":
            return {"keys": [self.key.as_dict(private=False)]}
        if path == "/authorize":
            code = urlsafe_b64encode(str(len(self.nonces)).encode()).decode()
            self.nonces[code] = asked.get("nonce", "")
            return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600, **self.user}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | {"nonce": self.nonces[asked["code"]]}, self.key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": token}


@contextmanager
def provider() -> Iterator[Provider]:
    """One that runs."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(dict(query(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say(dict(query(body)))

        def _say(self, asked: dict[str, str]) -> None:
            said = made.answer(urlsplit(self.path).path, asked)
            self.send_response(302 if isinstance(said, str) else 200)
            if isinstance(said, str):
                self.send_header("Location", said)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"" if isinstance(said, str) else json.dumps(said).encode())

        def log_message(self, *_: Any) -> None:
            pass

    def query(text: str) -> Iterator[tuple[str, str]]:
        return ((name, values[0]) for name, values in parse_qs(text).items())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made = Provider(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
