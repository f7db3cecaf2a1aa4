"""What tests of join links share: nina's meeting in the site named "usual", and what every answer of the handler has.

Files that use it import its fixtures by name, and have a fixture `all_sites` of their own.
"""

import pytest


@pytest.fixture
def site(all_sites):
    return all_sites["usual"]


def create(site, **members):
    return site.api.create(room=site.general.as_meant(), creator=site.nina.creator(), **members)


@pytest.fixture
def meeting(site):
    return create(site)


def kept(answer):
    """A link that names somebody is nobody else's business."""
    assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    return answer
