"""The other direction: outgoing webhooks, which a stand-in workspace calls and whose answers it treats as Rocket.Chat does.

    hook = chat.add_integration(server, "/pexip/webhook", token="...", words=["!pexip"])
    said = chat.say(nina, room, "!pexip Weekly")
    said.status, said.answer       # of the last request; None where nobody was asked
    said.posted                    # messages that came of the answer
"""

import http.client
import json
import threading
import time

from rooms import timestamp

JSON_TYPES = ("application/json", "application/javascript", "text/javascript", "application/x-javascript")
# powers-of-ten, the first two of the usual three: the third would be ten seconds.
RETRIES = (0.1, 1)
AGENT = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9.1.2) Gecko/20090729 Firefox/3.5.2"


class Integration:
    def __init__(self, server, path, token, words, user, headers=None, retries=RETRIES, timeout=10, **options):
        self.request = getattr(server, "request", server)
        self.path, self.token, self.words, self.user = path, token, list(words), user
        self.headers = dict(headers or {})
        self.retries, self.timeout = retries, timeout
        self.options = options
        self.enabled = True

    def word_of(self, text):
        """The trigger word at the very start, as it is: what follows may be anything."""
        return next((word for word in self.words if text.startswith(word)), None)


class Said:
    """What came of a message of somebody."""

    def __init__(self, message):
        self.message = message
        self.posts = []         # (status, body, seconds) of each request
        self.posted = []
        self.error = None

    @property
    def status(self):
        return self.posts[-1][0] if self.posts else None

    @property
    def answer(self):
        return json.loads(self.posts[-1][1]) if self.posts and self.posts[-1][1] else None

    @property
    def seconds(self):
        return self.posts[-1][2] if self.posts else None

    @property
    def text(self):
        """Of the message that the answer became."""
        return self.posted[-1].words if self.posted else None

    def __repr__(self):
        return f"<{self.message.text[:40]!r}: {[(status, body[:300]) for status, body, _ in self.posts]} {self.error or ''}>"


class Integrations:
    def __init__(self):
        self.integrations = []
        self.echoes = []        # what messages of the module's own users have caused
        self._threads = []

    def add_integration(self, server, path, token, words=("!pexip",), user=None, **options):
        """user: who the answers are posted as; the bot unless said otherwise."""
        integration = Integration(server, path, token, words, user or self.bot, **options)
        self.integrations.append(integration)
        return integration

    def say(self, user, room, text, tmid=None, edited=False, bot=False, message_id=None, at=None, **more):
        """Stores somebody's message, then does what the workspace's outgoing webhooks are there for. edited: the text of the known
        message_id changes. at: when the message was written first, in seconds since 1970. more: members of the request."""
        if edited:
            message = self.messages[message_id]
            message.change(text, user)
        else:
            message = self.store(room, user, text, message_id, tmid=tmid)
        if at is not None:
            message.created = at
        return self.send_out(message, edited=edited, bot=bot, **more)

    def send_out(self, message, edited=False, bot=False, **more):
        """The webhook requests of a message that is stored; once more for the same message is what a retry does."""
        said = Said(message)
        for integration in list(self.integrations):
            word = integration.word_of(message.text)
            if integration.enabled and word is not None:
                self._deliver(said, integration, self.request_body(message, integration, word, edited, bot, **more))
        return said

    def request_body(self, message, integration, word, edited=False, bot=False, **more):
        room = message.room
        body = {"token": integration.token, "bot": bot, "trigger_word": word, "channel_id": room.id, "channel_name": room.name,
                "message_id": message.id, "timestamp": timestamp(message.created), "user_id": message.user.id,
                "user_name": message.user.username, "text": message.text, "siteUrl": self.site, "tmid": message.tmid,
                "isEdited": True if edited else None, **more}
        return {name: value for name, value in body.items() if value is not None}

    def _deliver(self, said, integration, body):
        for pause in (*integration.retries, None):
            began = time.monotonic()
            try:
                answer = integration.request("POST", integration.path, body=body, timeout=integration.timeout,
                                             headers={"User-Agent": AGENT, **integration.headers}, **integration.options)
            except (OSError, http.client.HTTPException) as error:
                said.error = error      # logged, never tried again
                return
            said.posts.append((answer.status, answer.text, time.monotonic() - began))
            if not self._wants_retry(integration, answer) or pause is None:
                break
            time.sleep(pause)
        if answer.status in (200, 201, 202):
            self._post_answer(said, integration, answer)

    def _wants_retry(self, integration, answer):
        if answer.status == 410 and answer.body:
            integration.enabled = False
            self.note("the webhook answered 410: the integration is disabled for ever")
            return False
        if answer.status == 500 and answer.body:
            self.note(f"the webhook answered 500: what was asked is lost: {answer.text[:200]}")
            return False
        return answer.status not in (200, 201, 202) or not answer.body

    def _post_answer(self, said, integration, answer):
        if answer.headers.get("Content-Type", "").split(";")[0].strip() not in JSON_TYPES:
            self.note(f"an answer of the webhook is no JSON: {answer.headers.get('Content-Type')}")
            return
        value = answer.json()
        if not isinstance(value, dict) or not (value.get("text") or value.get("attachments")):
            return
        if "blocks" in value:
            self.note("an answer of the webhook has blocks, which are dropped")
        room = self.rooms.get(value.get("roomId")) or said.message.room
        message = self.store(room, integration.user, value.get("text", ""), attachments=value.get("attachments"), tmid=value.get("tmid"))
        message.preview_urls = None
        said.posted.append(message)
        # It came from an integration, and says so when it is sent out again.
        self.echo(message, bot=True)

    def echo(self, message, bot=False):
        """What the module makes the workspace store may itself begin with the word: another request, in the background as always."""
        if not any(each.enabled and each.word_of(message.text) is not None for each in self.integrations):
            return

        def run():
            self.echoes.append(self.send_out(message, bot=bot))
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def finish_echoes(self):
        for thread in self._threads:
            thread.join(15)
