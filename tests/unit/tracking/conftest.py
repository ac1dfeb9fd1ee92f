"""The home that the tests of files publish, for tests of lives as well."""

from tests.unit.exports.conftest import publish

__all__ = ["publish"]
