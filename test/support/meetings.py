"""The meetings API as a caller in Rocket.Chat or an administrator uses it."""

from urllib.parse import quote, urlencode

from workspace import ADMIN, PREFIX

ROOM = {"id": "GENERAL", "name": "general", "type": "c"}
NINA = {"id": "u-nina", "username": "nina", "name": "Nina"}
BORIS = {"id": "u-boris", "username": "boris", "name": "Boris"}


class Api:
    """call() hands back the raw answer; the verbs check the status and hand back what the answer says."""

    def __init__(self, server, auth=ADMIN, prefix=PREFIX, headers=None, **options):
        self.server = server
        self.auth = auth
        self.base = f"{prefix}/api/v1"
        self.headers = dict(headers or {})
        self.options = options      # port=, tls= of request()

    def call(self, method, path, body=None, headers=None):
        return self.server.request(method, self.base + path, body=body, auth=self.auth,
                                   headers={**self.headers, **(headers or {})}, **self.options)

    def _ok(self, answer, *statuses):
        if answer.status not in statuses:
            raise AssertionError(f"expected {' or '.join(map(str, statuses))}, got {answer.status}: {answer.text[:500]}")
        return answer

    def create(self, **members):
        """A meeting with the required members filled in; a member given as None is left out."""
        body = {"title": "Weekly", "room": ROOM, "creator": NINA, **members}
        body = {name: value for name, value in body.items() if value is not None}
        return self._ok(self.call("POST", "/meetings", body), 201, 200).json()

    def read(self, meeting_id):
        return self._ok(self.call("GET", f"/meetings/{quote(meeting_id, safe='')}"), 200).json()

    def list(self, **query):
        suffix = "?" + urlencode(query) if query else ""
        return self._ok(self.call("GET", "/meetings" + suffix), 200).json()

    def delete(self, meeting_id):
        self._ok(self.call("DELETE", f"/meetings/{quote(meeting_id, safe='')}"), 204)

    def link(self, meeting_id, user=NINA, **members):
        """A personal link: {"url", "role"}."""
        body = {"user": user, **members}
        return self._ok(self.call("POST", f"/meetings/{quote(meeting_id, safe='')}/links", body), 200, 201).json()
