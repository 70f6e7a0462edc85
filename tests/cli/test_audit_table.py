"""The summary of an audit on a terminal."""

from fixed_audit import fixed_audit
from straylight import Audit
from straylight.cli.audit_table import make_audit_table


def test_the_header_says_what_a_level_means() -> None:
    audit = fixed_audit()
    assert "4.6 grey levels RMS" in str(make_audit_table(audit).title)
    other = type(audit.budget)("linf", None, 4 / 255, 4.0)
    title = str(make_audit_table(Audit(**vars(audit) | {"budget": other})).title)
    assert "4.0 grey levels at most" in title
    assert "RMS" not in title
