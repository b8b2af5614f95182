"""What a node says of itself on its ops endpoint."""

import contextlib
import http.client
import json

PORT = 4980
SAME_NETWORK = contextlib.nullcontext()


def get(address: str, path: str, network: contextlib.AbstractContextManager = SAME_NETWORK) -> bytes | None:
    """The answer of the node at an address; None unless its status is 200.

    network: entered while connecting, for a node in another network namespace.
    """
    connection = http.client.HTTPConnection(address, PORT, timeout=1)
    try:
        with network:
            connection.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def status(address: str, network: contextlib.AbstractContextManager = SAME_NETWORK) -> dict:
    """The node's status; empty if it does not answer."""
    return json.loads(get(address, "/status", network) or "{}")
