"""Workspaces as browsers see them: by TLS at their own names, with Rocket.Chat's pages behind the module.

    with public_sites(mpm, {"usual": {}}) as made, Browser(hosts_of(made)) as browser:
        page = browser.open(made["usual"].url)
"""

from contextlib import contextmanager
from tempfile import TemporaryDirectory

from chat import Site, sites
from httpd import make_certificate


class PublicSite(Site):
    def directives(self):
        return f"""{super().directives()}
SSLEngine On
SSLCertificateFile conf/tls.crt
SSLCertificateKeyFile conf/tls.key
ProxyPreserveHost On
ProxyPass "/" "{self.chat.url}/"
CustomLog logs/requests.log "%r %{{Referer}}i"
"""

    def log_in(self, page, user, token=None):
        """As the web client does: what it keeps for its user is in the storage of its origin, and in no cookie."""
        page.goto(f"{self.url}/home")
        page.evaluate("(id, token) => { localStorage['Meteor.userId'] = id; localStorage['Meteor.loginToken'] = token; }",
                      user.id, token or user.token)


def hosts_of(made):
    """What a Browser wants to know."""
    return {site.url.removeprefix("https://"): site.port for site in made.values()}


@contextmanager
def public_sites(mpm, specs, **options):
    with TemporaryDirectory() as directory:
        files = {f"conf/{path.name}": path.read_text() for path in make_certificate(directory)}
    with sites(mpm, specs, kind=PublicSite, files=files, tls=True, **options) as made:
        yield made
