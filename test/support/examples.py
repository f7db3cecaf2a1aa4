"""The examples of conf/examples, made to run on this machine."""

from pathlib import Path

from policy_server import PolicyServer
from workspace import PASSWORD_FILE, SECRET_FILE

EXAMPLES = Path(__file__).resolve().parents[2] / "conf" / "examples"


def adapted(text, server, upstream):
    """With the paths and addresses of a machine that is set up replaced by ones that exist here."""
    for from_, to in (
            ("<VirtualHost *:443>", f"<VirtualHost 127.0.0.1:{server.port}>"),
            ("/etc/ssl/certs/chat.example.com.pem", "conf/tls.crt"),
            ("/etc/ssl/private/chat.example.com.key", "conf/tls.key"),
            ("${APACHE_LOG_DIR}/chat.example.com.log", "logs/example.log"),
            ("/etc/apache2/pexip-rc.secret", SECRET_FILE),
            ("/etc/apache2/pexip-rc.passwords", PASSWORD_FILE),
            ("http://127.0.0.1:3000/", upstream + "/")):
        assert from_ in text, from_
        text = text.replace(from_, to)
    return text


class Framed(PolicyServer):
    """A Rocket.Chat that does not want to be framed."""

    def __init__(self):
        super().__init__()
        self.say(200, "text/html", "<!DOCTYPE html><title>Rocket.Chat</title>",
                 {"X-Frame-Options": "sameorigin", "Content-Security-Policy": "default-src 'self'; frame-src *"})


def with_persistent_chat(upstream):
    """rocketchat.conf with the lines of persistent-chat.conf in its virtual host."""
    text, lines = ((EXAMPLES / name).read_text() for name in ("rocketchat.conf", "persistent-chat.conf"))
    assert text.count("</VirtualHost>") == 1
    text = text.replace("#PexipRCRestURL http://127.0.0.1:3000\n", f"PexipRCRestURL {upstream}\n")
    text = text.replace("#PexipRCRestCredentialsFile /etc/apache2/pexip-rc.rest", f"PexipRCRestCredentialsFile {SECRET_FILE}")
    return text.replace("</VirtualHost>", lines + "</VirtualHost>")
