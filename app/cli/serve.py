"""`palimpsest serve`: Streamlit on the entry script, with the flags that are ours to set.

The process is replaced, not wrapped, so signals reach the server itself and its exit code is
the command's.
"""

import json
import os
import socket
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from analysis.errors import BadRequest
from app.cli.login_file import login_hosts
from app.doors.names import is_name

MODEL = (
    "model to begin with, the embedded one when left out; repeated, the further ones are those that visitors of a "
    "public server may choose besides"
)
FILE, ADMIT = "PALIMPSEST_LOGIN", "PALIMPSEST_ADMIT"
"""The file of a login, and who is let in, comma separated."""
HOSTS = "PALIMPSEST_HOSTS"
"""Names by which a server is known, comma separated."""
ENTRY = Path(__file__).resolve().parent.parent / "asgi.py"


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    parser.add_argument("--port", type=int, default=None, metavar="N", help="port (default: $PORT, else 8501)")
    parser.add_argument(
        "--address", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--public",
        action="store_true",
        default=False,
        help="open to strangers: chosen models only, no tracebacks, small uploads",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name the server answers to, such as that of a proxy before it; *.example.org: all below one",
    )
    parser.add_argument(
        "--login",
        type=Path,
        default=None,
        metavar="FILE",
        help="ask for a login; a secrets.toml with [auth]",
    )
    parser.add_argument(
        "--admit",
        action="append",
        default=[],
        metavar="WHO",
        help="an e-mail address that is let in, or @example.org for all there (default: whoever can sign in)",
    )
    parser.add_argument("--headless", action="store_true", default=False, help="do not open a browser")
    parser.add_argument("--model", action="append", default=[], metavar="MODEL", help=MODEL)
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), default=None, help="precision of the weights"
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Start the server in this process's place."""
    port = _port(args)
    hosts = [*_hosts(args), *login_hosts(args.login, args.admit)]
    _seen_free(args.address, port)
    command = [sys.executable, "-m", "app.server", "run", str(ENTRY), *_flags(args, port, hosts)]
    shown = "localhost" if args.address in ("127.0.0.1", "0.0.0.0", "") else args.address
    print(f"Palimpsest is on http://{shown}:{port}", flush=True)
    os.execve(sys.executable, command, os.environ | _settings(args) | {HOSTS: ",".join(hosts)})


def _flags(args: Namespace, port: int, hosts: list[str]) -> list[str]:
    flags = {
        "server.port": str(port),
        "server.address": args.address,
        "server.headless": str(args.headless or args.public).lower(),
        "logger.hideWelcomeMessage": "true",
    }
    if args.public:
        flags |= {"client.showErrorDetails": "none", "server.maxUploadSize": "5"}
    if args.login is not None:
        flags["secrets.files"] = str(args.login.resolve())
    if hosts and "*" not in hosts[0]:
        flags["browser.serverAddress"] = hosts[0]  # else Streamlit asks the network what this machine is called
    return [part for name, value in flags.items() for part in (f"--{name}", value)]


def _settings(args: Namespace) -> dict[str, str]:
    """What the app reads from its environment."""
    spec = {"device": args.device, "dtype": args.dtype, "source": args.model[0] if args.model else None}
    given = {name: value for name, value in spec.items() if value is not None}
    settings = {"TRANSFORMERS_VERBOSITY": "error"}
    if given:
        settings["PALIMPSEST_MODEL"] = json.dumps(given)
    if args.public:
        settings["PALIMPSEST_PUBLIC"] = "1"
    if len(args.model) > 1:
        settings["PALIMPSEST_ALLOW"] = ",".join(args.model[1:])
    if args.login is not None:
        settings |= {FILE: str(args.login.resolve()), ADMIT: ",".join(args.admit)}
    return settings


def _hosts(args: Namespace) -> list[str]:
    """The names that were given, here and by the environment."""
    given = [*args.host, *filter(None, map(str.strip, os.environ.get(HOSTS, "").split(",")))]
    if wrong := [name for name in given if not is_name(name)]:
        raise BadRequest(f"“{wrong[0]}” is not a name of a host, such as example.org. Leave out scheme, port and path.")
    return list(dict.fromkeys(given))


def _port(args: Namespace) -> int:
    if args.port is not None:
        return _in_range(args.port, "--port")
    given = os.environ.get("PORT") or "8501"
    if not given.isdigit():
        raise BadRequest(f"$PORT is “{given}”, which is not a port. Set it to a number, or give --port.")
    return _in_range(int(given), "$PORT")


def _in_range(port: int, name: str) -> int:
    if not 0 < port < 65536:
        raise BadRequest(f"{name} is {port}; a port is a number from 1 to 65535.")
    return port


def _seen_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except (OSError, OverflowError, TypeError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadRequest(f"{address}:{port} cannot be listened on ({reason}). Give another --port.") from error
